"""What a terminal makes of a line of output: colours stay, what is written over what stood there replaces it."""

# `static/js/lib/terminal.js` does the same to output that comes live; `tests/data/terminal.json` holds both to it.

import re
from typing import NamedTuple

# Every alternative takes what it can and never looks back far: no line makes this slow.
_CONTROL = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[PX^_][^\x1b\n]*(?:\x1b\\)?|[ -/]*[0-~])"
    r"|[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f-\x9f]"
)
# What moves the cursor within its line, or erases: return, backspace, CSI n C (right), D (left), G (to a column), K.
_MOVE = re.compile(r"(\r|\x08|\x1b\[\d{0,4}[CDGK])")
_MOVE_IN_BYTES = re.compile(rb"[\r\x08]|\x1b\[\d{0,4}[CDGK]")
_COLOUR = re.compile(r"\x1b\[([\d;:]*)m")
_CELL = re.compile(rf"({_COLOUR.pattern})|{_CONTROL.pattern}|(.)", re.DOTALL)

BEGIN = 1 << 30  # so far back from the end is the begin of any line
MAX_CELLS = 4096  # of a line that is written over in its midst
MAX_STYLE = 200  # letters
RESET = "\x1b[0m"


class Written(NamedTuple):
    """A line as it is shown, and how many characters before its end the cursor stands."""

    text: str
    back: int = 0


class Cell(NamedTuple):
    style: str  # colours since the last reset
    character: str


BLANK = Cell("", " ")


def plain_text(text: str) -> str:
    return _CONTROL.sub("", text)


def has_moves(data: bytes) -> bool:
    return _MOVE_IN_BYTES.search(data) is not None


def write(line: Written, text: str) -> Written:
    """Return the line after `text` was written at its cursor; the time it takes grows with both, no faster.

    At the begin of the line, what is written replaces all of it: a progress bar that is shorter than before leaves no
    rest, as it would in a real terminal. Anywhere else each character replaces one.
    """
    # Text and moves take turns: every second part is a move.
    parts = _MOVE.split(text)
    is_simple = line.back in (0, BEGIN) and all(move == "\r" for move in parts[1::2])
    if is_simple:
        return _written_with_returns(line, parts[::2])
    cells = Cells(line)
    for index, part in enumerate(parts):
        if index % 2:
            cells.move(part)
        elif part:
            cells.put(part)
    return cells.written()


def _written_with_returns(line: Written, pieces: list[str]) -> Written:
    # Most bars are of this kind; no character of theirs has to be looked at alone.
    text, back = line
    for index, piece in enumerate(pieces):
        if index:
            back = BEGIN
        if back and plain_text(piece):
            text = _pen(text) + piece
            back = 0
        else:
            text += piece
    return Written(text, back)


class Cells:
    """A line character by character, with the cursor at `place`; at the begin what is put replaces all."""

    def __init__(self, line: Written) -> None:
        self._cells, self._pen = _parsed(line.text, "")
        self._is_at_begin = line.back >= BEGIN
        self._place = max(0, len(self._cells) - line.back)

    def put(self, text: str) -> None:
        new, self._pen = _parsed(text, self._pen)
        if new and self._is_at_begin:
            self._cells = []
            self._is_at_begin = False
        self._cells[self._place : self._place + len(new)] = new
        del self._cells[MAX_CELLS:]
        self._place = min(self._place + len(new), MAX_CELLS)

    def move(self, sequence: str) -> None:
        if sequence == "\r":
            self._go_to(0)
        elif sequence == "\x08":
            self._go_to(self._place - 1)
        else:
            self._obey(sequence[-1], int(sequence[2:-1] or 0))

    def _obey(self, letter: str, count: int) -> None:
        match letter:
            case "C":
                self._go_to(self._place + max(1, count))
            case "D":
                self._go_to(self._place - max(1, count))
            case "G":
                self._go_to(count - 1)
            case "K":
                self._erase(count)

    def _go_to(self, place: int) -> None:
        self._place = max(0, min(place, MAX_CELLS))
        self._is_at_begin = place <= 0
        room = self._place - len(self._cells)
        self._cells += [BLANK] * room

    def _erase(self, what: int) -> None:
        # 0: what stands right of the cursor; 1: left of it; 2: all.
        if what == 0:
            del self._cells[self._place :]
        elif what == 1:
            self._cells[: self._place] = [BLANK] * min(self._place, len(self._cells))
        elif what == 2:
            self._cells = []
            self._place = 0

    def written(self) -> Written:
        back = BEGIN if self._is_at_begin else len(self._cells) - self._place
        return Written(_joined(self._cells, pen=self._pen), back)


def _parsed(text: str, style: str) -> tuple[list[Cell], str]:
    cells: list[Cell] = []
    for found in _CELL.finditer(text):
        if found[1]:
            style = _restyled(style, found[1], found[2])
        elif found[3] and len(cells) < MAX_CELLS:
            cells.append(Cell(style, found[3]))
    return cells, style


def _pen(text: str) -> str:
    # The colours in which a terminal would go on.
    style = ""
    for found in _COLOUR.finditer(text):
        style = _restyled(style, found[0], found[1])
    return style


def _restyled(style: str, sequence: str, codes: str) -> str:
    if codes in ("", "0"):
        return ""
    if len(style) + len(sequence) > MAX_STYLE:
        return sequence
    return style + sequence


def _joined(cells: list[Cell], *, pen: str) -> str:
    parts = []
    style = ""
    for cell in cells:
        if cell.style != style:
            style = cell.style
            parts.append(RESET + style)
        parts.append(cell.character)
    if style != pen:
        parts.append(RESET + pen)
    return "".join(parts)
