"""Reading what a run wrote: its one log file, by byte offset, today or in a year.

`launcher/output/record_format.py` says what a record looks like. Its byte offset is sequence number, resume cursor and
range at once.
"""

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
from tempo_site.lib import paths

logger = logging.getLogger(__name__)

# What the runner says where output is missing.
_GAP = re.compile(rb"[\d,]+ bytes of output were left out here|Output was (?:left out|lost) here.*")

SLICE = 64 * 1024
LOG = record_format.LOG


def log_path(run: Run) -> Path | None:
    """Where the run's log lies, or None when it has none (never began, or pruned)."""
    if not run.folder:
        return None
    path = paths.run_folder(run.folder) / LOG
    return path if path.is_file() else None


def size(run: Run) -> int:
    """Bytes in the log now; 0 without one."""
    path = log_path(run)
    return path.stat().st_size if path else 0


def read_slice(run: Run, offset: int, limit: int = SLICE) -> tuple[bytes, int]:
    """Return stored records from a byte offset, cut at a line end, and the offset after them.

    `offset` must be 0 or a value returned before (a record's start). Nothing new: `(b"", offset)`.
    """
    path = log_path(run)
    if path is None:
        return b"", offset
    with path.open("rb") as file:
        data = cut(os.pread(file.fileno(), limit, offset))
    return data, offset + len(data)


def cut(data: bytes) -> bytes:
    """Drop an unfinished last record. Records are at most 16 KiB and a head, so a slice always holds a whole one.

    A slice without any line end was torn by a power cut (a stretch of NULs); it is passed on, so that reading goes on.
    """
    end = data.rfind(b"\n") + 1
    return data[:end] if end or len(data) < SLICE else data


def script_bytes(run: Run) -> Iterator[bytes]:
    """Yield what the script wrote, both streams in order of arrival, byte for byte.

    Tempo's own lines are left out, but for one: where output is missing, because it was over the limit or the disk was
    full, a line of its own says so, `[Tempo: 1,234,567 bytes of output were left out here]`.
    """
    offset, is_inside = 0, False
    while True:
        data, following = read_slice(run, offset, 4 * SLICE)
        if following == offset:
            return
        parts = []
        for _, stream, is_full, text in record_format.parse(data):
            if stream != "S":
                parts.append(text + b"\n" if is_full else text)
                is_inside = not is_full
            elif _GAP.fullmatch(text):
                parts.append(b"%b[Tempo: %b]\n" % (b"\n" if is_inside else b"", text))
                is_inside = False
        yield b"".join(parts)
        offset = following


async def script_stream(run: Run) -> AsyncIterator[bytes]:
    """Yield the same, read in threads, one chunk in memory at a time.

    Under ASGI Django would read a plain iterator to its end before the first byte is sent.
    """
    chunks = script_bytes(run)
    following = sync_to_async(lambda: next(chunks, None))
    while (chunk := await following()) is not None:
        yield chunk


def frame(run: Run, offset: int) -> bytes:
    """A JSON line `{"t": "o", "o": start, "n": end, "status", "final"}`, then the stored records between the two.

    `final` means that nothing more will come: the row was read before the slice, and a final row's log is whole.
    """
    data, following = read_slice(run, offset)
    is_last = run.is_final and following >= size(run)
    head = {"t": "o", "o": offset, "n": following, "status": run.status, "final": is_last}
    return json.dumps(head).encode() + b"\n" + data


def append_tail(folder: Path) -> None:
    """Put the end of a dead runner's output, which was over the limit, into the log; nothing when there is none.

    Repeatable, whatever state the files are in; never raises.
    """
    try:
        with _opened(folder, os.O_RDONLY | os.O_DIRECTORY) as folder_fd:
            if tail.exists_in(folder_fd):
                with _opened(
                    LOG, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK, dir_fd=folder_fd
                ) as log_fd:
                    tail.append_to_log(folder_fd, log_fd)
    except FileNotFoundError:
        return
    except OSError:
        logger.warning(
            "the end of the output in %s could not be put into its log", folder, exc_info=True
        )


@contextmanager
def _opened(path: Path | str, flags: int, *, dir_fd: int | None = None) -> Iterator[int]:
    """A descriptor of a file, following no link. Raises OSError."""
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=dir_fd)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
