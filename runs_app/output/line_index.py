"""The sparse index of one log file: windows of lines by number, while the log is still growing or not.

A line begins with a record that does not continue an open piece of its stream; the pieces join with what follows
there, so two streams may interleave and each line stays whole. Numbers count from 1. What is kept of a log in memory is
a block for every 64 KiB, made by scanning only what is new.
"""

import os
import threading
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from runs_app.launcher.output import record_format
from runs_app.output import log, records

MAX_LINE_BYTES = 64 * 1024  # what is given of one line
# What is given of one window: room for 50 of the longest lines, as many as the page asks for at once.
MAX_WINDOW_BYTES = 4 * 1024 * 1024
_MAX_SPREAD = 64  # blocks looked at from either end of a line that is spread over many


class NumberedRecord(NamedTuple):
    number: int
    epoch_ms: int
    stream: str
    is_full: bool
    text: bytes


@dataclass(kw_only=True)
class Line:
    """A line as far as it was written. At most 64 KiB of the line are kept, however long it is."""

    number: int
    epoch_ms: int
    stream: str
    is_open: bool = True
    is_cut: bool = False
    kept: bytes = b""
    ends_with_return: bool = False

    def add(self, record: NumberedRecord) -> None:
        """Append a record's text.

        A carriage return drops what stood before it as soon as something follows, as in a terminal.
        """
        self.is_open = not record.is_full
        body = record.text.rstrip(b"\r")
        if body and (self.ends_with_return or b"\r" in body):
            self.kept = b""
            self.is_cut = False
        piece = body[body.rfind(b"\r") + 1 :]
        room = MAX_LINE_BYTES - len(self.kept)
        if len(piece) > room:
            self.is_cut = True
        self.kept += piece[:room]
        if record.text:
            self.ends_with_return = record.text.endswith(b"\r")

    @property
    def text(self) -> str:
        """What a terminal would show; a carriage return at the end of an open line says that more comes."""
        text = self.kept.decode("utf-8", "replace")
        if self.is_open and self.ends_with_return:
            return f"{text}\r"
        return text

    def as_json(self) -> dict[str, Any]:
        content: dict[str, Any] = {"t": self.epoch_ms, "s": self.stream, "x": self.text}
        if self.is_open:
            content["o"] = True
        if self.is_cut:
            content["c"] = True
        return content


@dataclass(kw_only=True)
class Block:
    """A stretch of whole records: where it begins, the lines begun before it, and the lines open there by stream."""

    offset: int
    lines: int
    open: dict[str, int]
    is_plain: bool  # regular records and no line open at the begin: counted without being split


@dataclass(frozen=True, kw_only=True)
class Window:
    first: int
    total: int
    end: int
    open: dict[str, int]
    lines: list[Line]

    def as_json(self) -> dict[str, Any]:
        """Return the window as it goes over the wire; `o` marks an open line, `c` a cut one."""
        return {
            "first": self.first,
            "total": self.total,
            "end": self.end,
            "open": self.open,
            "lines": [line.as_json() for line in self.lines],
        }


class LineIndex:
    """The sparse index of one log file.

    The file is open while `reading` lasts and not between: a log that was deleted must give its space back.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1
        self.inode = path.lstat().st_ino
        self.end = 0
        self.total = 0
        self.blocks: list[Block] = []
        self._open: dict[str, int] = {}
        # By number of line: the blocks behind its first one that hold more of it.
        self._spread: dict[int, list[int]] = {}
        self._lock = threading.Lock()

    def window(self, first: int, count: int) -> Window:
        with self.reading():
            return self._window(max(1, first), count, max_bytes=MAX_WINDOW_BYTES)

    def last(self, count: int) -> Window:
        with self.reading():
            return self._window(max(1, self.total - count + 1), count, max_bytes=None)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Hold the lock and the open file, and count what is new.

        Raises FileNotFoundError when the file is gone, or when another file has its name.
        """
        with self._lock:
            descriptor = log.open_log(self._path)
            if descriptor is None:
                raise FileNotFoundError(f"{self._path} is gone")
            try:
                if os.fstat(descriptor).st_ino != self.inode:
                    raise FileNotFoundError(f"{self._path} is another file now")
                self._descriptor = descriptor
                self._scan()
                yield
            finally:
                os.close(descriptor)

    # --- scanning ----------------------------------------------------------------------------------------------------
    def _scan(self) -> None:
        while True:
            data = records.cut(os.pread(self._descriptor, records.SLICE_BYTES, self.end))
            if not data:
                return
            self._count(data)
            self.end += len(data)

    def _count(self, data: bytes) -> None:
        block = self._block_for_new_data()
        if not self._open and records.are_regular(data):
            self.total += data.count(b"\n")
            return
        block.is_plain = False
        for record in _numbered(data, self.total, self._open):
            self.total = max(self.total, record.number)
            if record.number <= block.lines:
                self._note_spread(record.number)

    def _block_for_new_data(self) -> Block:
        # Slices of a log that grows slowly are gathered to a block.
        if self.blocks and self.end - self.blocks[-1].offset < records.SLICE_BYTES:
            return self.blocks[-1]
        is_plain = not self._open
        block = Block(offset=self.end, lines=self.total, open=dict(self._open), is_plain=is_plain)
        self.blocks.append(block)
        return block

    def _note_spread(self, number: int) -> None:
        newest = len(self.blocks) - 1
        positions = self._spread.setdefault(number, [])
        if positions and positions[-1] == newest:
            return
        positions.append(newest)
        if len(positions) > 2 * _MAX_SPREAD:
            del positions[_MAX_SPREAD]

    # --- reading: only inside of `reading` ---------------------------------------------------------------------------
    def position_of(self, number: int) -> int:
        """Return the position of the block in which a line begins; the first or last block for numbers outside."""
        return max(0, bisect_right(self.blocks, number - 1, key=lambda block: block.lines) - 1)

    def bytes_of_block(self, position: int) -> bytes:
        begin = self.blocks[position].offset
        end = self.end
        if position + 1 < len(self.blocks):
            end = self.blocks[position + 1].offset
        return os.pread(self._descriptor, end - begin, begin)

    def records_of_block(self, position: int) -> Iterator[NumberedRecord]:
        block = self.blocks[position]
        return _numbered(self.bytes_of_block(position), block.lines, dict(block.open))

    def lines_begun_before(self, position: int) -> int:
        """Return how many lines begin before a block; all of them for the position behind the last block."""
        if position < len(self.blocks):
            return self.blocks[position].lines
        return self.total

    def lines_begun_in(self, position: int) -> list[Line]:
        first = self.lines_begun_before(position) + 1
        return self._lines(first, self.lines_begun_before(position + 1) + 1, max_bytes=None)

    def records_of_line(self, number: int, position: int) -> Iterator[NumberedRecord]:
        """Yield the records of a line that begins in the block at `position`, as far as its blocks are known."""
        for each in (position, *self._spread.get(number, ())):
            for record in self.records_of_block(each):
                if record.number == number:
                    yield record

    def _window(self, first: int, count: int, *, max_bytes: int | None) -> Window:
        beyond = min(first + count, self.total + 1)
        lines = self._lines(first, beyond, max_bytes=max_bytes)
        return Window(
            first=first, total=self.total, end=self.end, open=dict(self._open), lines=lines
        )

    def _lines(self, first: int, beyond: int, *, max_bytes: int | None) -> list[Line]:
        # Lines of these numbers, each with all of its pieces; no further block once they are `max_bytes` long.
        lines: dict[int, Line] = {}
        if first >= beyond:
            return []
        wanted = range(first, beyond)
        position = self.position_of(first)
        while position < len(self.blocks) and self.blocks[position].lines < beyond - 1:
            self._add_block(position, wanted, lines)
            position += 1
            if max_bytes is not None and _size(lines) > max_bytes:
                break
        for number in lines:
            for later in self._spread.get(number, ()):
                if later >= position:
                    self._add_block(later, range(number, number + 1), lines)
        return [lines[number] for number in sorted(lines)]

    def _add_block(self, position: int, wanted: range, lines: dict[int, Line]) -> None:
        for record in self.records_of_block(position):
            if record.number not in wanted:
                continue
            line = lines.get(record.number)
            if line is None:
                line = Line(number=record.number, epoch_ms=record.epoch_ms, stream=record.stream)
                lines[record.number] = line
            line.add(record)


def _numbered(data: bytes, lines: int, unfinished: dict[str, int]) -> Iterator[NumberedRecord]:
    # `lines` begun before; `unfinished` (stream -> number of its open line) is brought up to date.
    for epoch_ms, stream, is_full, text in record_format.parse(data):
        number = unfinished.get(stream, 0)
        if not number:
            lines += 1
            number = lines
        if is_full:
            unfinished.pop(stream, None)
        else:
            unfinished[stream] = number
        yield NumberedRecord(number, epoch_ms, stream, is_full, text)


def _size(lines: dict[int, Line]) -> int:
    return sum(len(line.kept) for line in lines.values())
