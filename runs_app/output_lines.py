"""A run's output by line number: windows of lines and plain-text search over a log of any length, still growing or not.

A line begins with a record that does not continue an open piece of its stream; the pieces join with what follows
there, so two streams may interleave and each line stays whole. Numbers count from 1. What is kept of a log in memory is
a sparse index: a block for every 64 KiB, made by scanning only what is new.
"""

import os
import re
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from runs_app import output
from runs_app.models import Run

LINE_BYTES = 64 * 1024  # what is given of one line
MOST_LINES = 1000  # of one window
MOST_MATCHES = 10_000
KEPT = 16  # logs whose index stays in memory
_BLOCK = output.SLICE
_SPREAD = 64  # blocks looked at from either end of a line that is spread over many
_HEAD = 18  # bytes before the text while the clock has 13 digits: until the year 2286
# A record that is not a full line with a clock of 13 digits: a piece, an old clock, or torn by a power cut.
_IRREGULAR = re.compile(rb"\n(?!\d{13} [OES] F )")
_SEQUENCE = (
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|[ -/]*[0-~])"
    r"|[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f-\x9f]"
)
_CONTROL = re.compile(_SEQUENCE)


class Record(NamedTuple):
    """One stored record and the number of the line it belongs to."""

    number: int
    epoch_ms: int
    stream: str
    is_full: bool
    text: bytes


@dataclass(kw_only=True)
class Line:
    """A line as far as it was written; `text` is shown text with its colours."""

    number: int
    epoch_ms: int
    stream: str
    is_open: bool = True
    is_cut: bool = False
    parts: list[bytes] = field(default_factory=list)

    @property
    def text(self) -> str:
        """At most 64 KiB; a carriage return within the line drops what stood before it, as a terminal does.

        One at the end of an open line stays: what comes next stands in place of the line.
        """
        whole = b"".join(self.parts)
        data = whole.rstrip(b"\r")
        data = data[data.rfind(b"\r") + 1 :]
        self.is_cut = len(data) > LINE_BYTES
        text = data[:LINE_BYTES].decode("utf-8", "replace")
        return f"{text}\r" if self.is_open and whole.endswith(b"\r") else text

    def as_json(self) -> dict[str, Any]:
        """The line as it goes over the wire."""
        content: dict[str, Any] = {"t": self.epoch_ms, "s": self.stream, "x": self.text}
        if self.is_open:
            content["o"] = True
        if self.is_cut:
            content["c"] = True
        return content


@dataclass(kw_only=True)
class Block:
    """A stretch of whole records: where it begins, the lines begun before it, and those open there by stream."""

    offset: int
    lines: int
    open: dict[str, int]
    is_plain: bool  # full records only and no line open at its begin: it can be counted without being taken apart


@dataclass(frozen=True, kw_only=True)
class Window:
    """Some lines of a log, and how far the log was known when they were read."""

    first: int
    total: int
    end: int
    open: dict[str, int]
    lines: list[Line]

    def as_json(self) -> dict[str, Any]:
        """The window as it goes over the wire; a line bears `o` or `c` only while it is open, or when it is cut."""
        return {
            "first": self.first,
            "total": self.total,
            "end": self.end,
            "open": self.open,
            "lines": [line.as_json() for line in self.lines],
        }


@dataclass(frozen=True, kw_only=True)
class Matches:
    """Numbers of the lines that hold a text; `is_cut`: there are more."""

    numbers: list[int]
    total: int
    is_cut: bool


class Index:
    """The sparse index of one log file. Every public method looks for what is new first."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.inode = os.fstat(self._descriptor).st_ino
        self.end = self.total = 0
        self._open: dict[str, int] = {}
        self._blocks: list[Block] = []
        self._spread: dict[int, list[int]] = {}  # line -> blocks behind its first one that hold more of it
        self._lock = threading.Lock()

    def __del__(self) -> None:
        os.close(self._descriptor)

    def window(self, first: int, count: int) -> Window:
        """Return at most `count` lines from number `first` on."""
        with self._lock:
            self._scan()
            return self._window(max(1, first), count)

    def last(self, count: int) -> Window:
        """Return the last `count` lines."""
        with self._lock:
            self._scan()
            return self._window(max(1, self.total - count + 1), count)

    def search(self, text: str) -> Matches:
        """Find lines that hold `text`, whatever its case and the colours within it."""
        with self._lock:
            self._scan()
            numbers: list[int] = []
            wanted = Wanted(text)
            for index in range(len(self._blocks)):
                numbers.extend(self._found_in(index, wanted))
                if len(numbers) > MOST_MATCHES:
                    break
            is_cut = len(numbers) > MOST_MATCHES
            return Matches(numbers=numbers[:MOST_MATCHES], total=self.total, is_cut=is_cut)

    # --- scanning ----------------------------------------------------------------------------------------------------
    def _scan(self) -> None:
        while data := output.cut(os.pread(self._descriptor, _BLOCK, self.end)):
            self._add(data)
            self.end += len(data)

    def _add(self, data: bytes) -> None:
        """Count a slice. Slices of a log that grows slowly are gathered to a block."""
        if not self._blocks or self.end - self._blocks[-1].offset >= _BLOCK:
            is_plain = not self._open
            self._blocks.append(Block(offset=self.end, lines=self.total, open=dict(self._open), is_plain=is_plain))
        block = self._blocks[-1]
        if not self._open and data.endswith(b"\n") and not _IRREGULAR.search(b"\n" + data[:-1]):
            self.total += data.count(b"\n")
            return
        block.is_plain = False
        for record in _numbered(data, self.total, self._open):
            self.total = max(self.total, record.number)
            if record.number <= block.lines:
                self._note_spread(record.number)

    def _note_spread(self, number: int) -> None:
        blocks = self._spread.setdefault(number, [])
        if not blocks or blocks[-1] != len(self._blocks) - 1:
            blocks.append(len(self._blocks) - 1)
            if len(blocks) > 2 * _SPREAD:
                del blocks[_SPREAD]

    # --- reading -----------------------------------------------------------------------------------------------------
    def _window(self, first: int, count: int) -> Window:
        lines = self._lines(first, min(first + count, self.total + 1))
        return Window(first=first, total=self.total, end=self.end, open=dict(self._open), lines=lines)

    def _lines(self, first: int, beyond: int) -> list[Line]:
        """Lines of these numbers, each with all of its pieces."""
        found: dict[int, Line] = {}
        if first >= beyond:
            return []
        begin = bisect_right(self._blocks, first - 1, key=lambda block: block.lines) - 1
        index = begin
        while index < len(self._blocks) and self._blocks[index].lines < beyond - 1:
            self._take(index, range(first, beyond), found)
            index += 1
        for number in [number for number in found if number in self._spread]:
            for later in self._spread[number]:
                if later >= index:
                    self._take(later, range(number, number + 1), found)
        return [found[number] for number in sorted(found)]

    def _take(self, index: int, wanted: range, found: dict[int, Line]) -> None:
        """Put what a block holds of the wanted lines to what was found of them before."""
        for record in self._records(index):
            if record.number not in wanted:
                continue
            line = found.get(record.number)
            if line is None:
                line = Line(number=record.number, epoch_ms=record.epoch_ms, stream=record.stream)
                found[record.number] = line
            line.parts.append(record.text)
            line.is_open = not record.is_full

    def _records(self, index: int) -> Iterator[Record]:
        block = self._blocks[index]
        return _numbered(self._data(index), block.lines, dict(block.open))

    def _data(self, index: int) -> bytes:
        begin = self._blocks[index].offset
        end = self._blocks[index + 1].offset if index + 1 < len(self._blocks) else self.end
        return os.pread(self._descriptor, end - begin, begin)

    # --- searching ---------------------------------------------------------------------------------------------------
    def _found_in(self, index: int, wanted: "Wanted") -> Iterator[int]:
        """Numbers of the lines begun in a block that hold a text."""
        begun = self._blocks[index].lines
        if self._blocks[index].is_plain:
            written = _written(self._data(index))
            if "\r" not in written:
                yield from wanted.numbers_in(written, begun + 1)
                return
        beyond = self._blocks[index + 1].lines if index + 1 < len(self._blocks) else self.total
        for line in self._lines(begun + 1, beyond + 1):
            if wanted.text in plain(line.text).lower():
                yield line.number


class Wanted:
    """A text to search for, in lower case."""

    def __init__(self, text: str) -> None:
        self.text = text.lower()
        # Colours may stand between any two letters. Looking for them so is faster than taking them all out first.
        self._coloured = re.compile(f"(?:{_SEQUENCE})*".join(map(re.escape, self.text)))

    def numbers_in(self, written: str, number: int) -> Iterator[int]:
        """Numbers of the lines that hold the text; the first line has `number`."""
        lowered, counted = written.lower(), 0
        found = self._coloured.search(lowered)
        while found:
            begin = lowered.rfind("\n", 0, found.start()) + 1
            end = lowered.find("\n", begin)
            number += lowered.count("\n", counted, begin)
            if self.text in plain(lowered[begin:end]):  # it may have stood within a control sequence
                yield number
            counted = begin
            found = self._coloured.search(lowered, end)


def of(run: Run) -> Index | None:
    """The index of a run's log, made or taken from memory; None without a log."""
    path = output.log_path(run)
    if path is None:
        return None
    with _guard:
        index = _known.get(path)
        if index is None or index.inode != path.stat().st_ino or path.stat().st_size < index.end:
            index = _known[path] = Index(path)
        _known.move_to_end(path)
        if len(_known) > KEPT:
            _known.popitem(last=False)
    return index


def plain(text: str) -> str:
    """The text without colours and control sequences."""
    return _CONTROL.sub("", text)


def _numbered(data: bytes, lines: int, unfinished: dict[str, int]) -> Iterator[Record]:
    """Split records and say to which line each belongs; `unfinished` (stream -> line) is brought up to date."""
    for epoch_ms, stream, is_full, text in output.records(data):
        number = unfinished.get(stream, 0)
        if not number:
            lines = number = lines + 1
        if is_full:
            unfinished.pop(stream, None)
        else:
            unfinished[stream] = number
        yield Record(number, epoch_ms, stream, is_full, text)


def _written(data: bytes) -> str:
    """The text of a plain block: its records without their heads."""
    text = b"\n".join([record[_HEAD:] for record in data.split(b"\n")])
    return text.replace(b"\r\n", b"\n").decode("utf-8", "replace")


_known: OrderedDict[Path, Index] = OrderedDict()
_guard = threading.Lock()
