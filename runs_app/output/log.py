"""A run's log: one file, read by byte offset. The offset is sequence number, resume cursor and range at once."""

import json
import logging
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from asgiref.sync import sync_to_async

from runs_app import run_folder
from runs_app.launcher import files
from runs_app.launcher.output import record_format, tail
from runs_app.models import Run
from runs_app.output import cold_log, records, stored_log
from runs_app.output.stored_log import PlainLog, StoredLog
from tempo_site.lib import paths

logger = logging.getLogger(__name__)

LOG = record_format.LOG
_SCRIPT_CHUNK_BYTES = 4 * records.SLICE_BYTES
UNREADABLE = b"\n[Tempo: the rest of the output could not be read]\n"


def log_path(run: Run) -> Path | None:
    """Return where the run's log lies; None when there is no log (the run never began, or was pruned)."""
    stored = _open(run)
    if stored is None:
        return None
    stored.close()
    folder = paths.run_folder(run.folder)
    return folder / (LOG if isinstance(stored, PlainLog) else cold_log.NAME)


def size(run: Run) -> int:
    stored = _open(run)
    if stored is None:
        return 0
    try:
        return stored.size
    finally:
        stored.close()


def read_slice(run: Run, offset: int, limit: int = records.SLICE_BYTES) -> tuple[bytes, int]:
    """Return stored records from a byte offset, cut at a line end, and the offset after them.

    `offset` must be 0 or a value returned before (a record's start). Without new records: `(b"", offset)`.
    """
    stored = _open(run)
    if stored is None:
        return b"", offset
    try:
        data = records.cut(stored.pread(limit, offset))
    finally:
        stored.close()
    return data, offset + len(data)


def _open(run: Run) -> StoredLog | None:
    if not run.folder:
        return None
    return stored_log.open_stored(paths.run_folder(run.folder) / LOG)


def script_bytes(run: Run) -> Iterator[bytes]:
    """Yield what the script wrote, both streams in order of arrival, byte for byte.

    Tempo's own lines are left out, but for one: where output is missing, because it was over the limit or the disk was
    full, a line of its own says so, `[Tempo: 1,234,567 bytes of output (12,345 lines) were left out here]`.
    """
    offset = 0
    is_inside_line = False
    while True:
        data, following = read_slice(run, offset, _SCRIPT_CHUNK_BYTES)
        if following == offset:
            return
        parts = []
        for _, stream, is_full, text in record_format.parse(data):
            if stream != "S":
                parts.append(text + b"\n" if is_full else text)
                is_inside_line = not is_full
            elif records.GAP.fullmatch(text):
                if is_inside_line:
                    parts.append(b"\n")
                parts.append(b"[Tempo: %b]\n" % text)
                is_inside_line = False
        yield b"".join(parts)
        offset = following


async def script_stream(run: Run) -> AsyncIterator[bytes]:
    """Yield `script_bytes`, read in threads, one chunk in memory at a time.

    Under ASGI Django would read a plain iterator to its end before the first byte is sent.
    """
    chunks = script_bytes(run)
    following = sync_to_async(lambda: next(chunks, None))
    try:
        while (chunk := await following()) is not None:
            yield chunk
    except Exception:
        # The answer has begun: its end has to come all the same, and says that it is not the end of the output.
        logger.exception("the log of run %s could not be read to its end", run.pk)
        yield UNREADABLE


def frame(run: Run, offset: int) -> bytes:
    """Return a JSON line `{"t": "o", "o": start, "n": end, "status", "final"}`, then the stored records.

    `final` means that no more records will come: the row was read before the slice, and a final row's log is whole.
    """
    data, following = read_slice(run, offset)
    is_last = run.is_final and following >= size(run)
    head = {"t": "o", "o": offset, "n": following, "status": run.status, "final": is_last}
    return json.dumps(head).encode() + b"\n" + data


def append_tail(folder: Path) -> None:
    """Put the end of a dead runner's output, if the output was over the limit, into the log.

    Repeatable, whatever state the files are in; never raises.
    """
    try:
        with run_folder.opened(folder) as folder_fd:
            if folder_fd is not None and tail.exists_in(folder_fd):
                log_fd = files.open_or_create(LOG, dir_fd=folder_fd)
                try:
                    tail.append_to_log(folder_fd, log_fd)
                finally:
                    os.close(log_fd)
    except OSError:
        logger.warning(
            "the end of the output in %s could not be put into its log", folder, exc_info=True
        )
