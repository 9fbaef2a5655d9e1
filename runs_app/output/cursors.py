"""On which line of the output each stream writes: as a rule a new one, after a cursor's move one that was there before.

Progress bars of several lines go up and write their lines anew. Each stream moves among its own last lines, so that
what comes on the other one stays.
"""

# `static/js/lib/cursors.js` does the same to output that comes live; `tests/data/terminal.json` holds both to it.

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from runs_app.launcher.output import record_format
from runs_app.output import records

SCREEN_ROWS = 50  # so far up a stream may go
SYSTEM = "S"
NOTICES = 2  # lines that Tempo puts in the place of what it left out
MAX_TORN = 16  # bytes of a control sequence whose end has not come yet

# CSI n A, F (up), n B, E (down); CSI H, f, 2 J, 3 J (a new screen); CSI J (erases what is below).
_MOVE = re.compile(rb"\x1b\[(?:(\d{0,4})([ABEF])|[\d;]{0,9}[Hf]|([023]?)J)")
_TORN = re.compile(rb"\x1b(?:\[[\d;]*)?\Z")
_UP, _DOWN = (b"A", b"F"), (b"B", b"E")
_ERASE_LINE, _ERASE_REST = b"\x1b[2K", b"\x1b[K"


class NumberedRecord(NamedTuple):
    number: int
    epoch_ms: int
    stream: str
    is_full: bool
    text: bytes


class Gap(NamedTuple):
    """A place where lines were left out: those behind line `row` are `skipped` further in what the script wrote."""

    row: int
    skipped: int


class Piece(NamedTuple):
    """What a record writes to one line; a `\\r` at its begin says that the line was there before."""

    number: int
    is_full: bool
    text: bytes


@dataclass(kw_only=True)
class Cursor:
    """Where a stream writes: `at` is a place among `rows`, the numbers of its last lines; behind them: a new line."""

    rows: list[int] = field(default_factory=list)
    at: int = 0
    pending: bytes = b""  # to be written before what comes next

    @property
    def is_on_line(self) -> bool:
        return self.at < len(self.rows)

    def begin_line(self, number: int) -> None:
        self.rows = [*self.rows, number][-SCREEN_ROWS:]
        self.at = len(self.rows) - 1

    def go_to(self, at: int) -> None:
        self.at = max(0, min(at, len(self.rows)))
        self.pending = b"\r" if self.is_on_line else b""

    def begin_screen(self) -> None:
        self.rows = self.rows[self.at : self.at + 1]
        self.at = 0


class Cursors:
    """The cursors of all streams of a log, and how many lines there are."""

    def __init__(self, total: int = 0) -> None:
        self.total = total
        self.gaps: tuple[Gap, ...] = ()
        self._streams: dict[str, Cursor] = {}

    def copy(self) -> "Cursors":
        copy = Cursors(self.total)
        copy.gaps = self.gaps
        for stream, cursor in self._streams.items():
            copy._streams[stream] = Cursor(rows=cursor.rows, at=cursor.at, pending=cursor.pending)
        return copy

    @property
    def open(self) -> dict[str, int]:
        """The line on which each stream goes on, for streams that do not begin a new one."""
        found = {}
        for stream, cursor in self._streams.items():
            if cursor.is_on_line:
                found[stream] = cursor.rows[cursor.at]
        return found

    def as_json(self) -> dict[str, Any]:
        """Return the cursors as they go over the wire, for a page that goes on from here."""
        content = {}
        for stream, cursor in self._streams.items():
            pending = cursor.pending.decode("latin-1")
            content[stream] = {"rows": cursor.rows, "at": cursor.at, "pending": pending}
        return content

    def stored(self) -> list[Any]:
        """Return all of it as JSON, to be kept with a cold log."""
        return [self.total, self.gaps, self.as_json()]

    @classmethod
    def restored(cls, content: list[Any]) -> "Cursors":
        """Return what `stored` has kept. Raise ArithmeticError, KeyError, TypeError or ValueError for anything else."""
        total, gaps, streams = content
        cursors = cls(int(total))
        cursors.gaps = tuple(Gap(int(row), int(skipped)) for row, skipped in gaps)
        for stream, cursor in streams.items():
            rows, at = [int(row) for row in cursor["rows"]], int(cursor["at"])
            if not 0 <= at <= len(rows):
                raise ValueError(f"a cursor stands on row {at} of {len(rows)}")
            pending = str(cursor["pending"]).encode("latin-1")
            cursors._streams[str(stream)] = Cursor(rows=rows, at=at, pending=pending)
        return cursors

    @property
    def are_at_end(self) -> bool:
        return not any(cursor.is_on_line or cursor.pending for cursor in self._streams.values())

    def numbered(self, data: bytes) -> Iterator[NumberedRecord]:
        """Yield what stored records write, with the number of the line that each writes to."""
        for epoch_ms, stream, is_full, text in record_format.parse(data):
            for piece in self.follow(stream, text, is_full=is_full):
                yield NumberedRecord(piece.number, epoch_ms, stream, piece.is_full, piece.text)

    def skip(self, data: bytes) -> None:
        """Count stored records of which each is a line, and none moves a cursor."""
        last = data[:-1].rsplit(b"\n", SCREEN_ROWS)[-SCREEN_ROWS:]
        self.total += data.count(b"\n")
        for number, record in enumerate(last, self.total - len(last) + 1):
            cursor = self._cursor(records.stream_of_regular(record))
            cursor.begin_line(number)
            cursor.at = len(cursor.rows)

    def follow(self, stream: str, text: bytes, *, is_full: bool) -> Iterator[Piece]:
        """Yield what a record writes, line by line."""
        cursor = self._cursor(stream)
        if cursor.pending or b"\x1b" in text:
            text = self._take_pending(cursor, text, is_full=is_full)
            yield from self._follow_moves(cursor, text, is_full=is_full)
        else:
            yield self._piece(cursor, text, is_full=is_full)
        if is_full:
            cursor.go_to(cursor.at + 1)
        if stream == SYSTEM and (gap := records.GAP.fullmatch(text)):
            self._note_gap(gap)

    def _note_gap(self, gap: re.Match[bytes]) -> None:
        # Nobody knows what the screen was like behind it.
        for cursor in self._streams.values():
            cursor.begin_screen()
        lines = int((gap[1] or b"0").replace(b",", b""))
        self.gaps = (*self.gaps, Gap(self.total, max(0, lines - NOTICES)))

    def _cursor(self, stream: str) -> Cursor:
        return self._streams.setdefault(stream, Cursor())

    def _take_pending(self, cursor: Cursor, text: bytes, *, is_full: bool) -> bytes:
        text = cursor.pending + text
        cursor.pending = b""
        torn = None if is_full else _TORN.search(text)
        if torn and len(torn[0]) <= MAX_TORN:
            cursor.pending = torn[0]
            return text[: torn.start()]
        return text

    def _follow_moves(self, cursor: Cursor, text: bytes, *, is_full: bool) -> Iterator[Piece]:
        torn, cursor.pending = cursor.pending, b""
        done = 0
        for move in _MOVE.finditer(text):
            if move.start() > done:
                yield self._piece(cursor, text[done : move.start()])
            yield from self._move(cursor, move)
            done = move.end()
        rest = text[done:]
        if rest or is_full or not (done or torn):
            yield self._piece(cursor, rest, is_full=is_full)
        cursor.pending += torn

    def _move(self, cursor: Cursor, move: re.Match[bytes]) -> Iterator[Piece]:
        letter = move[2]
        if letter:
            count = max(1, int(move[1] or 1))
            cursor.go_to(cursor.at - count if letter in _UP else cursor.at + count)
        elif move[3] in (b"", b"0"):
            if cursor.is_on_line:
                yield self._piece(cursor, _ERASE_REST)
            for number in cursor.rows[cursor.at + 1 :]:
                yield Piece(number, False, _ERASE_LINE)
        else:
            cursor.begin_screen()

    def _piece(self, cursor: Cursor, text: bytes, *, is_full: bool = False) -> Piece:
        if not cursor.is_on_line:
            self.total += 1
            cursor.begin_line(self.total)
        text = cursor.pending + text
        cursor.pending = b""
        return Piece(cursor.rows[cursor.at], is_full, text)


def number_of(row: int, gaps: Iterable[Gap]) -> int:
    """Return the number of a row in what the script wrote: what was left out before it counts."""
    return row + sum(gap.skipped for gap in gaps if gap.row < row)


def move_between_lines(data: bytes) -> bool:
    return _MOVE.search(data) is not None
