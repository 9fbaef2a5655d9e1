"""The sparse index of one log file: windows of lines by number, while the log is still growing or not.

A line begins with a record that does not continue an open piece of its stream; the pieces join with what follows
there, so two streams may interleave and each line stays whole. A stream that moves its cursor up writes lines anew.
Numbers count from 1. What is kept of a log in memory is a block for every 64 KiB, made by scanning only what is new.
"""

import threading
from bisect import bisect_right
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from runs_app.output import cursors, records, stored_log, terminal
from runs_app.output.cursors import Cursors, Gap, NumberedRecord
from runs_app.output.stored_log import StoredLog
from runs_app.output.terminal import Written

MAX_LINE_BYTES = 64 * 1024  # what is given of one line
# What is given of one window: room for 50 of the longest lines, as many as the page asks for at once.
MAX_WINDOW_BYTES = 4 * 1024 * 1024
MAX_BLOCK_BYTES = 2 * records.SLICE_BYTES
_MAX_SPREAD = 64  # blocks looked at from either end of a line that is spread over many


@dataclass(kw_only=True)
class Line:
    """A line as far as it was written. At most 64 KiB of the line are kept, however long it is."""

    number: int
    epoch_ms: int
    stream: str
    is_open: bool = True
    is_cut: bool = False
    kept: bytes = b""
    back: int = 0  # so many characters before its end the cursor stands

    def add(self, record: NumberedRecord) -> None:
        """Write a record's text at the cursor, as a terminal would: see `terminal.write`."""
        self.is_open = not record.is_full
        if self.back == 0 and not terminal.has_moves(record.text):
            self._append(record.text)
            return
        before = Written(self.kept.decode("utf-8", "surrogateescape"), self.back)
        after = terminal.write(before, record.text.decode("utf-8", "surrogateescape"))
        self.is_cut = self.is_cut and len(after.text) >= len(before.text)
        self.kept, self.back = b"", after.back
        self._append(after.text.encode("utf-8", "surrogateescape"))

    def _append(self, text: bytes) -> None:
        room = MAX_LINE_BYTES - len(self.kept)
        if len(text) > room:
            self.is_cut = True
        self.kept += text[:room]

    @property
    def text(self) -> str:
        """What a terminal would show; a carriage return at the end of an open line says that more comes."""
        text = self.kept.decode("utf-8", "replace")
        if self.is_open and self.back >= terminal.BEGIN:
            return f"{text}\r"
        return text

    def as_json(self) -> dict[str, Any]:
        content: dict[str, Any] = {"t": self.epoch_ms, "s": self.stream, "x": self.text}
        if self.is_open:
            content["o"] = True
        if self.is_cut:
            content["c"] = True
        if self.is_open and 0 < self.back < terminal.BEGIN:
            content["b"] = self.back
        return content


@dataclass(kw_only=True)
class Block:
    """A stretch of whole records: where it begins, the lines begun before it, and where the streams write there."""

    offset: int
    lines: int
    cursors: Cursors
    is_plain: bool  # regular records and no line open at the begin: counted without being split


@dataclass(frozen=True, kw_only=True)
class Window:
    first: int
    total: int
    end: int
    cursors: Cursors
    lines: list[Line]

    @property
    def open(self) -> dict[str, int]:
        """By stream the line that its next record goes on, where that is not a new one."""
        return self.cursors.open

    def as_json(self) -> dict[str, Any]:
        """Return the window as it goes over the wire.

        `o` marks an open line, `b` says how far from its end its cursor stands, `c` marks a cut one.
        """
        return {
            "first": self.first,
            "total": self.total,
            "end": self.end,
            "open": self.open,
            "cursors": self.cursors.as_json(),
            "gaps": self.cursors.gaps,
            "lines": [line.as_json() for line in self.lines],
        }


class LineIndex:
    """The sparse index of one log file.

    The file is open while `reading` lasts and not between: a log that was deleted must give its space back.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log: StoredLog | None = None
        self.end = 0
        self.blocks: list[Block] = []
        self._cursors = Cursors()
        # By number of line: the blocks behind its first one that hold more of it.
        self._spread: dict[int, list[int]] = {}
        self._lock = threading.Lock()
        stored = self._open()
        self.inode = stored.identity
        try:
            if stored.lines:
                self._restore(stored.lines, size=stored.size)
        finally:
            stored.close()

    @property
    def total(self) -> int:
        return self._cursors.total

    @property
    def gaps(self) -> tuple[Gap, ...]:
        return self._cursors.gaps

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
            stored = self._open()
            try:
                if stored.identity != self.inode:
                    raise FileNotFoundError(f"{self._path} is another file now")
                self._log = stored
                self._scan()
                yield
            finally:
                self._log = None
                stored.close()

    def _open(self) -> StoredLog:
        stored = stored_log.open_stored(self._path)
        if stored is None:
            raise FileNotFoundError(f"{self._path} is gone")
        return stored

    def _pread(self, count: int, offset: int) -> bytes:
        if self._log is None:
            raise RuntimeError("a log is read only inside of `reading`")
        return self._log.pread(count, offset)

    # --- kept with a cold log ----------------------------------------------------------------------------------------
    def stored(self) -> dict[str, Any]:
        """Return all that is known of the lines, to be kept with the log, so that a cold one is not read for it."""
        return {
            "end": self.end,
            "cursors": self._cursors.stored(),
            "spread": [[number, positions] for number, positions in self._spread.items()],
            "blocks": [
                [block.offset, block.lines, block.is_plain, block.cursors.stored()]
                for block in self.blocks
            ],
        }

    def _restore(self, content: dict[str, Any], *, size: int) -> None:
        # A script of Tempo's own user may have written it: then the lines are counted as those of any log are.
        try:
            blocks = [
                Block(
                    offset=int(offset),
                    lines=int(lines),
                    is_plain=bool(is_plain),
                    cursors=Cursors.restored(each),
                )
                for offset, lines, is_plain, each in content["blocks"]
            ]
            known = Cursors.restored(content["cursors"])
            spread = {int(number): list(map(int, later)) for number, later in content["spread"]}
            end = int(content["end"])
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError):
            return
        places = {position for later in spread.values() for position in later}
        if end > size or not _follow_each_other(blocks, end) or places - set(range(len(blocks))):
            return
        self.blocks, self._cursors, self._spread = blocks, known, spread
        self.end = end

    # --- scanning ----------------------------------------------------------------------------------------------------
    def _scan(self) -> None:
        while True:
            data = records.cut(self._pread(records.SLICE_BYTES, self.end))
            if not data:
                return
            self._count(data)
            self.end += len(data)

    def _count(self, data: bytes) -> None:
        block = self._block_for_new_data()
        if self._cursors.are_at_end and is_plain(data):
            self._cursors.skip(data)
            return
        block.is_plain = False
        for record in self._cursors.numbered(data):
            if record.number <= block.lines:
                self._note_spread(record.number)

    def _block_for_new_data(self) -> Block:
        # Slices of a log that grows slowly are gathered to a block.
        if self.blocks and self.end - self.blocks[-1].offset < records.SLICE_BYTES:
            return self.blocks[-1]
        if self.blocks and self.blocks[-1].is_plain:
            self.blocks[-1].cursors = Cursors(self.blocks[-1].lines)  # all it takes, and small
        block = Block(
            offset=self.end,
            lines=self.total,
            cursors=self._cursors.copy(),
            is_plain=self._cursors.are_at_end,
        )
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
        return self._pread(end - begin, begin)

    def records_of_block(self, position: int) -> Iterator[NumberedRecord]:
        before = self.blocks[position].cursors.copy()
        return before.numbered(self.bytes_of_block(position))

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
            first=first,
            total=self.total,
            end=self.end,
            cursors=self._cursors.copy(),
            lines=lines,
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
        for later in self._blocks_with_more(lines, position):
            self._add_block(later, lines.keys(), lines)
        return [lines[number] for number in sorted(lines)]

    def _blocks_with_more(self, numbers: Iterable[int], first: int) -> list[int]:
        found: set[int] = set()
        for number in numbers:
            found.update(later for later in self._spread.get(number, ()) if later >= first)
        return sorted(found)

    def _add_block(self, position: int, wanted: Container[int], lines: dict[int, Line]) -> None:
        for record in self.records_of_block(position):
            if record.number not in wanted:
                continue
            line = lines.get(record.number)
            if line is None:
                line = Line(number=record.number, epoch_ms=record.epoch_ms, stream=record.stream)
                lines[record.number] = line
            line.add(record)


def _follow_each_other(blocks: list[Block], end: int) -> bool:
    offsets = [block.offset for block in blocks]
    if offsets[:1] not in ([], [0]):
        return False
    sizes = [after - before for before, after in pairwise([*offsets, end])]
    return all(0 < size <= MAX_BLOCK_BYTES for size in sizes)


def is_plain(data: bytes) -> bool:
    """Whether each record is a line of its own, and nothing is left out between them."""
    if b"\x1b" in data and cursors.move_between_lines(data):
        return False
    return records.are_regular(data) and not records.may_hold_gap(data)


def _size(lines: dict[int, Line]) -> int:
    return sum(len(line.kept) for line in lines.values())
