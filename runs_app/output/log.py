"""A run's log: one file, read by byte offset. The offset is sequence number, resume cursor and range at once."""

import json
import logging
import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

from asgiref.sync import sync_to_async

from runs_app.launcher.output import record_format, tail
from runs_app.models import Run
from runs_app.output import records
from tempo_site.lib import paths

logger = logging.getLogger(__name__)

LOG = record_format.LOG
_SCRIPT_CHUNK_BYTES = 4 * records.SLICE_BYTES
# What the runner says where output is missing.
_GAP = re.compile(rb"[\d,]+ bytes of output were left out here|Output was (?:left out|lost) here.*")


def log_path(run: Run) -> Path | None:
    """Return where the run's log lies; None when there is no log (the run never began, or was pruned)."""
    if not run.folder:
        return None
    path = paths.run_folder(run.folder) / LOG
    return path if path.is_file() else None


def size(run: Run) -> int:
    path = log_path(run)
    return path.stat().st_size if path else 0


def read_slice(run: Run, offset: int, limit: int = records.SLICE_BYTES) -> tuple[bytes, int]:
    """Return stored records from a byte offset, cut at a line end, and the offset after them.

    `offset` must be 0 or a value returned before (a record's start). Without new records: `(b"", offset)`.
    """
    path = log_path(run)
    if path is None:
        return b"", offset
    with path.open("rb") as file:
        data = records.cut(os.pread(file.fileno(), limit, offset))
    return data, offset + len(data)


def script_bytes(run: Run) -> Iterator[bytes]:
    """Yield what the script wrote, both streams in order of arrival, byte for byte.

    Tempo's own lines are left out, but for one: where output is missing, because it was over the limit or the disk was
    full, a line of its own says so, `[Tempo: 1,234,567 bytes of output were left out here]`.
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
            elif _GAP.fullmatch(text):
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
    while (chunk := await following()) is not None:
        yield chunk


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
    log_flags = os.O_RDWR | os.O_CREAT | os.O_NONBLOCK
    try:
        with _opened(folder, os.O_RDONLY | os.O_DIRECTORY) as folder_fd:
            if tail.exists_in(folder_fd):
                with _opened(LOG, log_flags, dir_fd=folder_fd) as log_fd:
                    tail.append_to_log(folder_fd, log_fd)
    except FileNotFoundError:
        return
    except OSError:
        logger.warning(
            "the end of the output in %s could not be put into its log", folder, exc_info=True
        )


@contextmanager
def _opened(path: Path | str, flags: int, *, dir_fd: int | None = None) -> Iterator[int]:
    # Follows no link.
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=dir_fd)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
