"""The tail: holds the records for which the log has no room, until the last records are appended at the end."""

# Two files take turns: when one is full, the other is emptied for the next records, so that no byte is ever copied and
# the last 256 KiB are on disk at any moment. Each begins with a line of its own, written once: the log's size, where
# the tail belongs; the bytes and the lines of output between there and this file's first record; the streams whose line
# was open.

import contextlib
import os
import re
import stat
import time
from typing import NamedTuple

from runs_app.launcher import files
from runs_app.launcher.output import record_format
from runs_app.launcher.output.record_format import FULL, SYSTEM

NAMES = ("tail", "tail.2")
PART_BYTES = 256 * 1024
_MAX_SENTENCES = 20  # of the runner that a flood of output does not wash away
_MAX_BYTES = 2 * PART_BYTES  # read of one part: its last record may reach beyond its size
# The lines are missing in what a runner of Tempo 0.1.0 wrote before it was restarted.
_HEAD = re.compile(rb"(\d{1,15}) (\d{1,15})(?: (\d{1,15}))? ([OE]{0,2})\n")


class Tail:
    """Takes records for which the log has no room; never raises, but returns why records were lost."""

    def __init__(self, folder_fd: int, log_size: int, open_streams: bytes) -> None:
        self._folder_fd = folder_fd
        self._log_size = log_size
        self._open_streams = open_streams
        self._fd = -1
        # Of the part that is written to: full, so that the first record begins one.
        self._size = PART_BYTES
        self._parts = 0
        self._part_began = 0  # bytes of output before this part
        self._output_bytes = 0
        # A line that was open is ended where the log ends: its end here makes no line more.
        self._lines = -len(open_streams)
        self._sentences: list[list[bytes]] = [[], []]  # of the runner, by the part they are in
        self.dropped = 0  # bytes of output that are gone

    def add(self, data: bytes, overhead: int, *, are_lines: bool) -> str:
        """Write records, each with `overhead` bytes that are not the script's; return why some were lost, or "".

        `are_lines`: each record ends a line of the script.
        """
        begin = 0
        while begin < len(data):
            if self._size >= PART_BYTES:
                why = self._begin_part()
                if why:
                    return why
            end = data.rfind(b"\n", begin, begin + PART_BYTES - self._size) + 1
            if end <= begin:
                end = data.find(b"\n", begin) + 1  # the record that fills the part
            lines = data[begin:end]
            written, why = write_lines(self._fd, lines, self._size)
            self._size += written
            count = lines.count(b"\n", 0, written)
            self._output_bytes += written - count * overhead
            if are_lines:
                self._lines += count
            if why:
                return why
            begin = end
        return ""

    def say(self, record: bytes) -> str:
        """Write a record of the runner's own, which stays while output goes; return why it was lost, or ""."""
        why = self.add(record, len(record), are_lines=False)
        if not why:
            self._sentences[(self._parts - 1) % 2].append(record)
        return why

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _begin_part(self) -> str:
        # In place of the part before the last. Returns why that failed, or "".
        turn = self._parts % 2
        name = NAMES[turn]
        kept = self._sentences[turn] = self._sentences[turn][-_MAX_SENTENCES:]
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=self._folder_fd)
            if self._parts > 1:
                self.dropped = self._part_began  # all before the part that is the older one now
            fd = files.create(name, dir_fd=self._folder_fd)
        except OSError as error:
            return error.strerror or str(error)
        counts = (self._log_size, self._output_bytes, max(0, self._lines))
        head = b"%d %d %d %b\n" % (*counts, self._open_streams)
        written, why = write_lines(fd, head + b"".join(kept), 0)
        if why:
            os.close(fd)
            return why
        self.close()
        self._fd = fd
        self._size = written
        self._part_began = self._output_bytes
        self._parts += 1
        return ""


class Ending(NamedTuple):
    """The records in the log from offset `at` on, and why some of the tail were lost, or ""."""

    at: int
    records: bytes
    loss: str


class _Part(NamedTuple):
    log_size: int
    began: int
    lines_before: int | None
    open_streams: bytes
    records: bytes


def exists_in(folder_fd: int) -> bool:
    return any(_is_file(name, folder_fd) for name in NAMES)


def append_to_log(folder_fd: int, log_fd: int) -> Ending:
    """Move the tail into the log, after a record that says how much is missing. Raise OSError for an unreadable log."""
    # Repeated after a crash in between, this writes the same bytes to the same place.
    size = os.fstat(log_fd).st_size
    parts = _read_parts(folder_fd)
    # A log that is shorter lost its end in a power cut; one that is much longer was not written by us alone.
    is_known = bool(parts) and 0 <= size - parts[0].log_size <= 2 * _MAX_BYTES
    at = parts[0].log_size if is_known else _end_of_whole_records(log_fd, size)
    data = _gap_record(parts, is_known) + b"".join(part.records for part in parts)
    written, why = len(data), ""
    # Else the tail is there: the crash came when one of the files was gone already.
    if size < at + len(data):
        written, why = write_lines(log_fd, data, at)
    _remove(folder_fd)
    if why:  # there is room now
        more, why = write_lines(log_fd, data[written:], at + written)
        written += more
    return Ending(at, data[:written], why)


def write_lines(fd: int, data: bytes, at: int) -> tuple[int, str]:
    """Write lines at an offset; return the bytes of whole lines that reached the file, and why some did not, or ""."""
    # A torn line must not stand: where the disk refuses, the file ends after the last whole line.
    written = 0
    try:
        while written < len(data):
            written += os.pwrite(fd, memoryview(data)[written:], at + written)
    except OSError as error:
        written = data.rfind(b"\n", 0, written) + 1
        with contextlib.suppress(OSError):
            os.ftruncate(fd, at + written)
        return written, error.strerror or str(error)
    return written, ""


def _read_parts(folder_fd: int) -> list[_Part]:
    parts = [_read_part(name, folder_fd) for name in NAMES]
    return sorted(filter(None, parts), key=lambda part: part.began)


def _read_part(name: str, folder_fd: int) -> _Part | None:
    # As far as it is whole; None when there is none, or something else of that name.
    try:
        data = files.read(name, dir_fd=folder_fd, max_bytes=_MAX_BYTES)
    except OSError:
        return None
    head = _HEAD.match(data)
    if head is None:
        return None
    records = data[head.end() : data.rfind(b"\n") + 1]
    lines_before = int(head[3]) if head[3] else None
    return _Part(int(head[1]), int(head[2]), lines_before, head[4], records)


def _is_file(name: str, folder_fd: int) -> bool:
    # Whether there is something of that name that can be removed as a file can.
    try:
        return not stat.S_ISDIR(os.stat(name, dir_fd=folder_fd, follow_symlinks=False).st_mode)
    except OSError:
        return False


def _end_of_whole_records(log_fd: int, size: int) -> int:
    # The log's end; a record that a power cut has torn gets its line end first.
    if not size or os.pread(log_fd, 1, size - 1) == b"\n":
        return size
    return size + write_lines(log_fd, b"\n", size)[0]


def _gap_record(parts: list[_Part], is_known: bool) -> bytes:
    # Says what is missing, if anything is. Lines that were open there are ended first: none goes across the gap.
    if is_known and not parts[0].began:
        return b""
    epoch_ms = int(time.time() * 1000)
    sentence = "Output was left out here"
    ends = b""
    if parts:
        first_record = record_format.HEAD.match(parts[0].records)
        if first_record:
            epoch_ms = int(first_record[1])
        for stream in parts[0].open_streams:
            ends += record_format.head(epoch_ms, bytes([stream]), FULL) + b"\n"
    if is_known:
        lines = _amount_of_lines(parts[0].lines_before)
        sentence = f"{parts[0].began:,} bytes of output{lines} were left out here"
    return ends + record_format.head(epoch_ms, SYSTEM, FULL) + sentence.encode() + b"\n"


def _amount_of_lines(count: int | None) -> str:
    if count is None:
        return ""
    return " (1 line)" if count == 1 else f" ({count:,} lines)"


def _remove(folder_fd: int) -> None:
    for name in NAMES:
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=folder_fd)
