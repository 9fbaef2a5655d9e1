"""A run's output by line number: windows of lines and plain-text search over a log of any length, still growing or not.

A line begins with a record that does not continue an open piece of its stream; the pieces join with what follows
there, so two streams may interleave and each line stays whole. Numbers count from 1. What is kept of a log in memory is
a sparse index: a block for every 64 KiB, made by scanning only what is new.
"""

import os
import re
import threading
import time
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from runs_app.launcher.output import record_format
from runs_app.models import Run
from runs_app.output import log as output_log

LINE_BYTES = 64 * 1024  # what is given of one line
MAX_LINES = 1000  # of one window
# of one window, and room for 50 of the longest lines: the page asks for so many at once
MAX_BYTES = 4 * 1024 * 1024
MAX_MATCHES = 10_000
PATIENCE_S = 3.0  # for one search
KEPT = 16  # logs whose index stays in memory
_BLOCK = output_log.SLICE
_SPREAD = 64  # blocks looked at from either end of a line that is spread over many
# A record that is not a full line with a clock of 13 digits: a piece, an old clock, or torn by a power cut.
_IRREGULAR = re.compile(rb"\n(?!%b)" % record_format.USUAL_HEAD_PATTERN)
_CONTROL = re.compile(  # within one line; every alternative takes what it can and never looks back far
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[PX^_][^\x1b\n]*(?:\x1b\\)?|[ -/]*[0-~])"
    r"|[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f-\x9f]"
)


T = TypeVar("T")


class Record(NamedTuple):
    """One stored record and the number of the line it belongs to."""

    number: int
    epoch_ms: int
    stream: str
    is_full: bool
    text: bytes


@dataclass(kw_only=True)
class Line:
    """A line as far as it was written. At most 64 KiB of it are kept, however long it is."""

    number: int
    epoch_ms: int
    stream: str
    is_open: bool = True
    is_cut: bool = False
    kept: bytes = b""
    ends_with_return: bool = False

    def add(self, record: Record) -> None:
        """Put a record's text behind what is there.

        A carriage return drops what stood before it as soon as something follows, as in a terminal.
        """
        self.is_open = not record.is_full
        body = record.text.rstrip(b"\r")
        if body and (self.ends_with_return or b"\r" in body):
            self.kept, self.is_cut = b"", False
        piece = body[body.rfind(b"\r") + 1 :]
        room = LINE_BYTES - len(self.kept)
        self.is_cut = self.is_cut or len(piece) > room
        self.kept += piece[:room]
        if record.text:
            self.ends_with_return = record.text.endswith(b"\r")

    @property
    def text(self) -> str:
        """What a terminal would show of it; a carriage return at the end of an open line says that more comes."""
        text = self.kept.decode("utf-8", "replace")
        return f"{text}\r" if self.is_open and self.ends_with_return else text

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
    """Numbers of the lines that hold a text, among the first `searched` lines; `is_cut`: there may be more."""

    numbers: list[int]
    searched: int
    is_cut: bool


class Index:
    """The sparse index of one log file. Every public method looks for what is new first.

    The file is open while a method runs and not between: a log that was deleted must give its space back.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1
        self.inode = path.stat().st_ino
        self.end = self.total = 0
        self._open: dict[str, int] = {}
        self._blocks: list[Block] = []
        self._spread: dict[
            int, list[int]
        ] = {}  # line -> blocks behind its first one that hold more of it
        self._lock = threading.Lock()

    def window(self, first: int, count: int) -> Window:
        """Return at most `count` lines from number `first` on, fewer when they are long."""
        with self._reading():
            self._scan()
            return self._window(max(1, first), count)

    def last(self, count: int) -> Window:
        """Return the last `count` lines."""
        with self._reading():
            self._scan()
            return self._window(max(1, self.total - count + 1), count, most_bytes=None)

    def search(self, text: str, *, first: int = 1, patience_s: float = PATIENCE_S) -> Matches:
        """Find lines from number `first` on that hold `text`, whatever its case and the colours within it.

        At most 10,000 of them, and no longer than patience lasts.
        """
        give_up = time.monotonic() + patience_s
        numbers: list[int] = []
        wanted = text.lower()
        index, is_done, searched = -1, False, first - 1
        while not is_done and len(numbers) <= MAX_MATCHES and time.monotonic() < give_up:
            # for each block anew: whoever wants lines meanwhile does not wait for the whole
            with self._reading():
                self._scan()
                index = self._block_of(first) if index < 0 else index + 1
                if index < len(self._blocks):
                    numbers.extend(
                        number for number in self._found_in(index, wanted) if number >= first
                    )
                is_done = index + 1 >= len(self._blocks)
                searched = self.total if is_done else self._blocks[index + 1].lines
        is_cut = not is_done or len(numbers) > MAX_MATCHES
        return Matches(numbers=numbers[:MAX_MATCHES], searched=searched, is_cut=is_cut)

    def search_back(self, text: str, *, before: int, patience_s: float = PATIENCE_S) -> Matches:
        """Find the last lines before number `before` that hold `text`; `is_cut` says that there may be earlier ones."""
        give_up = time.monotonic() + patience_s
        numbers: list[int] = []
        wanted = text.lower()
        index = None
        while index != 0 and len(numbers) <= MAX_MATCHES and time.monotonic() < give_up:
            with self._reading():
                self._scan()
                index = self._block_of(before - 1) if index is None else index - 1
                found = self._found_in(index, wanted) if self._blocks else ()
                numbers = [*(number for number in found if number < before), *numbers]
        return Matches(
            numbers=numbers[-MAX_MATCHES:],
            searched=self.total,
            is_cut=index != 0 or len(numbers) > MAX_MATCHES,
        )

    def _block_of(self, number: int) -> int:
        """The block in which a line begins; the first one for numbers below, the last one for those beyond."""
        return max(0, bisect_right(self._blocks, number - 1, key=lambda block: block.lines) - 1)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Hold the lock and the file. Raises FileNotFoundError when it is gone, or another one."""
        with self._lock, self._path.open("rb", buffering=0) as file:
            if os.fstat(file.fileno()).st_ino != self.inode:
                raise FileNotFoundError(f"{self._path} is another file now")
            self._descriptor = file.fileno()
            yield

    # --- scanning ----------------------------------------------------------------------------------------------------
    def _scan(self) -> None:
        while data := output_log.cut(os.pread(self._descriptor, _BLOCK, self.end)):
            self._add(data)
            self.end += len(data)

    def _add(self, data: bytes) -> None:
        """Count a slice. Slices of a log that grows slowly are gathered to a block."""
        if not self._blocks or self.end - self._blocks[-1].offset >= _BLOCK:
            is_plain = not self._open
            self._blocks.append(
                Block(offset=self.end, lines=self.total, open=dict(self._open), is_plain=is_plain)
            )
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
    def _window(self, first: int, count: int, *, most_bytes: int | None = MAX_BYTES) -> Window:
        lines = self._lines(first, min(first + count, self.total + 1), most_bytes=most_bytes)
        return Window(
            first=first, total=self.total, end=self.end, open=dict(self._open), lines=lines
        )

    def _lines(self, first: int, beyond: int, *, most_bytes: int | None = None) -> list[Line]:
        """Lines of these numbers, each with all of its pieces; no further block once they are `most_bytes` long."""
        found: dict[int, Line] = {}
        if first >= beyond:
            return []
        index = self._block_of(first)
        while index < len(self._blocks) and self._blocks[index].lines < beyond - 1:
            self._take(index, range(first, beyond), found)
            index += 1
            if (
                most_bytes is not None
                and sum(len(line.kept) for line in found.values()) > most_bytes
            ):
                break
        for number in [number for number in found if number in self._spread]:
            for later in self._spread[number]:
                if later >= index:
                    self._take(later, range(number, number + 1), found)
        return [found[number] for number in sorted(found)]

    def _take(self, index: int, wanted: range, found: dict[int, Line]) -> None:
        """Put what a block holds of the wanted lines to what was found of them before."""
        for record in self._records(index):
            if record.number in wanted:
                line = found.get(record.number)
                if line is None:
                    line = Line(
                        number=record.number, epoch_ms=record.epoch_ms, stream=record.stream
                    )
                    found[record.number] = line
                line.add(record)

    def _records(self, index: int) -> Iterator[Record]:
        block = self._blocks[index]
        return _numbered(self._data(index), block.lines, dict(block.open))

    def _data(self, index: int) -> bytes:
        begin = self._blocks[index].offset
        end = self._blocks[index + 1].offset if index + 1 < len(self._blocks) else self.end
        return os.pread(self._descriptor, end - begin, begin)

    # --- searching ---------------------------------------------------------------------------------------------------
    def _found_in(self, index: int, wanted: str) -> Iterator[int]:
        """Numbers of the lines begun in a block that hold a text."""
        begun = self._blocks[index].lines
        if self._blocks[index].is_plain:
            written = _written(self._data(index))
            if "\r" not in written:
                yield from _numbers_in(plain(written).lower(), wanted, begun + 1)
                return
        beyond = self._blocks[index + 1].lines if index + 1 < len(self._blocks) else self.total
        for line in self._lines(begun + 1, beyond + 1):
            if wanted in plain(line.text).lower() or (
                line.is_cut and self._holds_further_on(index, line.number, wanted)
            ):
                yield line.number

    def _holds_further_on(self, index: int, number: int, wanted: str) -> bool:
        """Whether a line that is too long to be kept whole holds a text anywhere, also where two pieces meet."""
        before = ""
        for each in (index, *self._spread.get(number, ())):
            for record in self._records(each):
                if record.number == number:
                    before += plain(record.text.decode("utf-8", "replace")).lower()
                    if wanted in before:
                        return True
                    before = before[-len(wanted) :]
        return False


def _numbers_in(text: str, wanted: str, number: int) -> Iterator[int]:
    """Numbers of the lines of a text that hold another one; its first line has `number`."""
    counted, found = 0, text.find(wanted)
    while found >= 0:
        number += text.count("\n", counted, found)
        yield number
        counted = text.find("\n", found)
        found = text.find(wanted, counted) if counted >= 0 else -1


NOTHING = Window(first=1, total=0, end=0, open={}, lines=[])
NO_MATCH = Matches(numbers=[], searched=0, is_cut=False)


def window(run: Run, first: int, count: int) -> Window:
    """At most `count` lines of a run's output from number `first` on; nothing without a log."""
    return _asked(run, lambda log: log.window(first, count), NOTHING)


def last(run: Run, count: int) -> Window:
    """The last `count` lines of a run's output; nothing without a log."""
    return _asked(run, lambda log: log.last(count), NOTHING)


def search(run: Run, text: str, *, first: int = 1) -> Matches:
    """The lines of a run's output, from number `first` on, that hold a text; none without a log."""
    return _asked(run, lambda log: log.search(text, first=first), NO_MATCH)


def search_back(run: Run, text: str, *, before: int) -> Matches:
    """The last lines before number `before` that hold a text; none without a log."""
    return _asked(run, lambda log: log.search_back(text, before=before), NO_MATCH)


def _asked(run: Run, question: Callable[[Index], T], otherwise: T) -> T:
    log = index_of_log(run)
    try:
        return question(log) if log else otherwise
    except FileNotFoundError:  # retention was faster
        return otherwise


def index_of_log(run: Run) -> Index | None:
    """The index of a run's log, made or taken from memory; None without a log."""
    path = output_log.log_path(run)
    if path is None:
        return None
    with _guard:
        try:
            facts = path.stat()
            index = _known.get(path)
            if index is None or index.inode != facts.st_ino or facts.st_size < index.end:
                index = _known[path] = Index(path)
        except FileNotFoundError:  # deleted a moment ago
            return None
        _known.move_to_end(path)
        if len(_known) > KEPT:
            _known.popitem(last=False)
    return index


def plain(text: str) -> str:
    """The text without colours and control sequences."""
    return _CONTROL.sub("", text)


def _numbered(data: bytes, lines: int, unfinished: dict[str, int]) -> Iterator[Record]:
    """Split records and say to which line each belongs; `unfinished` (stream -> line) is brought up to date."""
    for epoch_ms, stream, is_full, text in record_format.parse(data):
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
    head_bytes = record_format.USUAL_HEAD_BYTES
    text = b"\n".join([record[head_bytes:] for record in data.split(b"\n")])
    return text.replace(b"\r\n", b"\n").decode("utf-8", "replace")


_known: OrderedDict[Path, Index] = OrderedDict()
_guard = threading.Lock()
