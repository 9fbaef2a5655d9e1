"""Reading what a run wrote: its one log file, by byte offset, today or in a year.

A stored record is `<epoch_ms> O|E|S F|P <bytes>\\n`: stream (stdout, stderr, system), full line or piece. The byte
offset is sequence number, resume cursor and range at once.
"""

import json
import os
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from asgiref.sync import sync_to_async

from runs_app.models import Run
from tempo_site.lib import paths

# What does not look so was torn by a power cut and is left out.
_RECORD = re.compile(rb"(\d{1,15}) ([OES]) ([FP]) ")

SLICE = 64 * 1024
LOG = "output.log"


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


def records(data: bytes) -> Iterator[tuple[int, str, bool, bytes]]:
    """Split a slice into (epoch ms, stream `O|E|S`, whether the line is full, the bytes)."""
    for line in data.split(b"\n")[:-1]:
        if found := _RECORD.match(line):
            yield int(found[1]), found[2].decode(), found[3] == b"F", line[found.end() :]


def script_bytes(run: Run) -> Iterator[bytes]:
    """Yield what the script wrote, both streams in order of arrival, byte for byte, without Tempo's own lines."""
    offset = 0
    while True:
        data, following = read_slice(run, offset, 4 * SLICE)
        if following == offset:
            return
        yield b"".join(text + b"\n" if is_full else text for _, stream, is_full, text in records(data) if stream != "S")
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
