"""Differences of two texts, line by line: unified, and side by side. The time is bounded, whatever the texts are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import Match, SequenceMatcher
from itertools import accumulate, zip_longest
from typing import Literal

Sign = Literal[" ", "-", "+"]
Opcode = tuple[str, int, int, int, int]  # difflib's: what happened, a from and to, b from and to

CONTEXT = 3  # lines alike around each change
MAX_STEPS = 2_000_000  # of difflib's inner loop: half a second, a whole one at the worst
STEPS_A_LINE = 2  # what a line costs that is nowhere in the other text
MAX_ROWS = 2_000  # of a page
MAX_LINE = 1_000  # characters of a page's line
NO_NEWLINE = "\\ No newline at end of file\n"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A line of one of the texts: its number in it, from 1."""

    number: int
    sign: Sign
    text: str
    left_out: int = 0  # characters beyond what a page shows


@dataclass(frozen=True, kw_only=True)
class Hunk:
    """A run of changes with the lines around them; `skipped` lines that are alike come before it."""

    skipped: int
    rows: list[tuple[Cell | None, Cell | None]]  # before and after, beside each other

    @property
    def lines(self) -> Iterator[Cell]:
        """The same one below the other: what was removed, then what was added."""
        removed: list[Cell] = []
        added: list[Cell] = []
        for before, after in self.rows:
            if before and before.sign == " ":
                yield from (*removed, *added, before)
                removed, added = [], []
                continue
            removed += [before] if before else []
            added += [after] if after else []
        yield from (*removed, *added)


@dataclass(frozen=True, kw_only=True)
class TextDifference:
    """What a page shows of a difference. `is_coarse`: comparing was cut short, so more is marked than changed."""

    hunks: list[Hunk]
    added: int
    removed: int
    is_coarse: bool
    is_cut: bool  # there is more than a page shows
    alike_after: int  # lines behind the last hunk


def compare(before: str, after: str) -> TextDifference:
    """Compare two texts for a page; at most 2,000 rows, of which none is longer than 1,000 characters."""
    a, b = lines_of(before), lines_of(after)
    matcher = _Matcher(a, b)
    opcodes = matcher.get_opcodes()
    hunks, room, is_cut, seen = [], MAX_ROWS, False, 0
    for group in matcher.get_grouped_opcodes(CONTEXT) if a != b else ():
        if is_cut := room == 0:
            break
        pairs = list(_first(_pairs(group, a, b), room))
        hunks.append(Hunk(skipped=group[0][1] - seen, rows=pairs))
        seen = group[-1][2]
        room -= len(pairs)
        if is_cut := len(pairs) < _rows_of(group):
            break
    changed = [opcode for opcode in opcodes if opcode[0] != "equal"]
    return TextDifference(
        hunks=hunks,
        added=sum(b_to - b_from for _, _, _, b_from, b_to in changed),
        removed=sum(a_to - a_from for _, a_from, a_to, _, _ in changed),
        is_coarse=matcher.is_coarse,
        is_cut=is_cut,
        alike_after=len(a) - seen,
    )


def unified(before: str, after: str, *, before_name: str, after_name: str) -> str:
    """Return the whole difference as `diff -u` writes it, to be read or patched with; empty when they are alike."""
    a, b = lines_of(before), lines_of(after)
    if a == b:
        return ""
    parts = [f"--- {before_name}\n+++ {after_name}\n"]
    for group in _Matcher(a, b).get_grouped_opcodes(CONTEXT):
        first, last = group[0], group[-1]
        parts.append(f"@@ -{_range(first[1], last[2])} +{_range(first[3], last[4])} @@\n")
        for kind, a_from, a_to, b_from, b_to in group:
            removed = " " if kind == "equal" else "-"
            parts += (_written(removed, line) for line in a[a_from:a_to])
            parts += (_written("+", line) for line in b[b_from:b_to] if kind != "equal")
    return "".join(parts)


def lines_of(text: str) -> list[str]:
    """The lines of a text with their ends; only `\\n` ends one, as everywhere in Tempo."""
    lines = [f"{line}\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


class _Matcher(SequenceMatcher[str]):
    """difflib's, with a bound: where finding a match would take too many steps, all counts as changed.

    What begins and ends alike is matched first, which costs next to nothing and leaves the steps for what is between.
    """

    a: Sequence[str]  # these three are difflib's own
    b: Sequence[str]
    b2j: dict[str, list[int]]  # the numbers of each line in b

    def __init__(self, a: Sequence[str], b: Sequence[str]) -> None:
        super().__init__(None, a, b, autojunk=False)
        self._steps_to = [0, *accumulate(STEPS_A_LINE + len(self.b2j.get(line, ())) for line in a)]
        self._steps_left = MAX_STEPS
        self.is_coarse = False

    def find_longest_match(
        self, alo: int = 0, ahi: int | None = None, blo: int = 0, bhi: int | None = None
    ) -> Match:
        """A match within these ranges; an empty one where there is none or it would take too long to know."""
        ahi, bhi = len(self.a) if ahi is None else ahi, len(self.b) if bhi is None else bhi
        if begins := _alike(self.a, self.b, alo, blo, min(ahi - alo, bhi - blo), step=1):
            return Match(alo, blo, begins)
        if ends := _alike(self.a, self.b, ahi - 1, bhi - 1, min(ahi - alo, bhi - blo), step=-1):
            return Match(ahi - ends, bhi - ends, ends)
        steps = self._steps_to[ahi] - self._steps_to[alo]
        if steps > self._steps_left:
            self.is_coarse = True
            return Match(alo, blo, 0)
        self._steps_left -= steps
        return super().find_longest_match(alo, ahi, blo, bhi)


def _alike(
    a: Sequence[str], b: Sequence[str], at_a: int, at_b: int, most: int, *, step: int
) -> int:
    """How many lines are alike from two places on, forwards or backwards."""
    count = 0
    while count < most and a[at_a + step * count] == b[at_b + step * count]:
        count += 1
    return count


def _pairs(
    group: list[Opcode], a: list[str], b: list[str]
) -> Iterator[tuple[Cell | None, Cell | None]]:
    """The rows of a group, before and after beside each other."""
    for kind, a_from, a_to, b_from, b_to in group:
        is_alike = kind == "equal"
        left = (
            _cell(number, " " if is_alike else "-", a[number]) for number in range(a_from, a_to)
        )
        right = (
            _cell(number, " " if is_alike else "+", b[number]) for number in range(b_from, b_to)
        )
        yield from zip_longest(left, right)


def _cell(index: int, sign: Sign, line: str) -> Cell:
    text = line.removesuffix("\n")
    return Cell(
        number=index + 1, sign=sign, text=text[:MAX_LINE], left_out=max(0, len(text) - MAX_LINE)
    )


def _rows_of(group: list[Opcode]) -> int:
    return sum(max(a_to - a_from, b_to - b_from) for _, a_from, a_to, b_from, b_to in group)


def _first(
    pairs: Iterator[tuple[Cell | None, Cell | None]], count: int
) -> Iterator[tuple[Cell | None, Cell | None]]:
    return (pair for pair, _ in zip(pairs, range(count), strict=False))


def _range(start: int, stop: int) -> str:
    """Lines as `@@` names them: `first,count`, the count left out when it is 1; of none, the line before."""
    count = stop - start
    first = start + 1 if count else start
    return str(first) if count == 1 else f"{first},{count}"


def _written(sign: str, line: str) -> str:
    return f"{sign}{line}" if line.endswith("\n") else f"{sign}{line}\n{NO_NEWLINE}"
