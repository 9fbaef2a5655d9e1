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
from runs_app.output.script_text import BOTH, ScriptText
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


def script_bytes(run: Run, *, streams: str = BOTH) -> Iterator[bytes]:
    """Yield what the script wrote, both streams in order of arrival or one of them: see ScriptText."""
    offset = 0
    script_text = ScriptText(streams)
    while True:
        data, following = read_slice(run, offset, _SCRIPT_CHUNK_BYTES)
        if following == offset:
            return
        yield script_text.of(data)
        offset = following


async def read_in_threads(run: Run, parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the parts of a run's text, read in threads, one in memory at a time.

    Under ASGI Django would read a plain iterator to its end before the first byte is sent.
    """
    following = sync_to_async(lambda: next(parts, None))
    try:
        while (part := await following()) is not None:
            yield part
    except Exception:
        # The answer has begun: its end has to come all the same, and says that it is not the end of the output.
        logger.exception("the log of run %s could not be read to its end", run.pk)
        yield UNREADABLE


def script_stream(run: Run) -> AsyncIterator[bytes]:
    return read_in_threads(run, script_bytes(run))


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
