"""The differences of two texts, line by line, unified and side by side, in bounded time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import Match, SequenceMatcher
from itertools import accumulate, islice, zip_longest
from typing import Literal

Sign = Literal[" ", "-", "+"]
Opcode = tuple[str, int, int, int, int]  # of difflib: kind, start and end in a, start and end in b

CONTEXT = 3  # equal lines around each change
MAX_STEPS = 2_000_000  # of difflib's inner loop: half a second, at worst one second
STEPS_PER_LINE = 2  # for a line that the other text does not have
MAX_ROWS = 2_000  # of a page
MAX_LINE = 1_000  # characters of a page's line
NO_NEWLINE = "\\ No newline at end of file\n"


@dataclass(frozen=True, kw_only=True)
class DiffCell:
    number: int  # from 1
    sign: Sign
    text: str
    left_out: int = 0  # characters that a page does not show


Pair = tuple[DiffCell | None, DiffCell | None]  # before and after


@dataclass(frozen=True, kw_only=True)
class Hunk:
    skipped: int  # equal lines before the hunk
    rows: list[Pair]

    @property
    def lines(self) -> Iterator[DiffCell]:
        removed: list[DiffCell] = []
        added: list[DiffCell] = []
        for before, after in self.rows:
            if before and before.sign == " ":
                yield from (*removed, *added, before)
                removed.clear()
                added.clear()
                continue
            if before:
                removed.append(before)
            if after:
                added.append(after)
        yield from (*removed, *added)


@dataclass(frozen=True, kw_only=True)
class TextDifference:
    hunks: list[Hunk]
    added: int
    removed: int
    is_coarse: bool  # the comparison was cut short, so that more lines are marked than changed
    is_cut: bool  # a page does not show all hunks
    alike_after: int  # lines behind the last hunk


def compare(before: str, after: str) -> TextDifference:
    """Return the difference for a page: at most 2,000 rows of at most 1,000 characters."""
    a = lines_of(before)
    b = lines_of(after)
    matcher = _Matcher(a, b)
    added = 0
    removed = 0
    for kind, a_start, a_end, b_start, b_end in matcher.get_opcodes():
        if kind != "equal":
            removed += a_end - a_start
            added += b_end - b_start
    groups: list[list[Opcode]] = []
    if a != b:
        groups = list(matcher.get_grouped_opcodes(CONTEXT))
    hunks, is_cut = _hunks(groups, a, b)
    last_line = groups[len(hunks) - 1][-1][2] if hunks else 0
    return TextDifference(
        hunks=hunks,
        added=added,
        removed=removed,
        is_coarse=matcher.is_coarse,
        is_cut=is_cut,
        alike_after=len(a) - last_line,
    )


def _hunks(groups: list[list[Opcode]], a: list[str], b: list[str]) -> tuple[list[Hunk], bool]:
    hunks: list[Hunk] = []
    room = MAX_ROWS
    last_line = 0
    for group in groups:
        if room == 0:
            return hunks, True
        pairs = list(islice(_pairs(group, a, b), room))
        hunks.append(Hunk(skipped=group[0][1] - last_line, rows=pairs))
        last_line = group[-1][2]
        room -= len(pairs)
        if len(pairs) < _row_count(group):
            return hunks, True
    return hunks, False


def unified(
    before: str,
    after: str,
    *,
    before_name: str,
    after_name: str,
) -> str:
    a = lines_of(before)
    b = lines_of(after)
    if a == b:
        return ""
    parts = [f"--- {before_name}\n+++ {after_name}\n"]
    for group in _Matcher(a, b).get_grouped_opcodes(CONTEXT):
        first = group[0]
        last = group[-1]
        old_range = _range(first[1], last[2])
        new_range = _range(first[3], last[4])
        parts.append(f"@@ -{old_range} +{new_range} @@\n")
        for kind, a_start, a_end, b_start, b_end in group:
            if kind == "equal":
                parts.extend(_unified_line(" ", line) for line in a[a_start:a_end])
            else:
                parts.extend(_unified_line("-", line) for line in a[a_start:a_end])
                parts.extend(_unified_line("+", line) for line in b[b_start:b_end])
    return "".join(parts)


def lines_of(text: str) -> list[str]:
    """Return the lines of a text with their ends; only `\\n` ends a line, as everywhere in Tempo."""
    lines = [f"{line}\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


# A matcher with a limit: when a match would take too many steps, all lines count as changed.
class _Matcher(SequenceMatcher[str]):
    a: Sequence[str]  # these three belong to difflib
    b: Sequence[str]
    b2j: dict[str, list[int]]  # the line numbers of each line in b

    def __init__(self, a: Sequence[str], b: Sequence[str]) -> None:
        super().__init__(None, a, b, autojunk=False)
        steps = (STEPS_PER_LINE + len(self.b2j.get(line, ())) for line in a)
        self._steps_to = [0, *accumulate(steps)]
        self._steps_left = MAX_STEPS
        self.is_coarse = False

    # Return a match within these ranges; an empty match for none or after too many steps.
    def find_longest_match(
        self, alo: int = 0, ahi: int | None = None, blo: int = 0, bhi: int | None = None
    ) -> Match:
        if ahi is None:
            ahi = len(self.a)
        if bhi is None:
            bhi = len(self.b)
        # Equal lines at the beginning and at the end cost next to nothing.
        limit = min(ahi - alo, bhi - blo)
        size = _count_equal(self.a, self.b, alo, blo, limit=limit, step=1)
        if size:
            return Match(alo, blo, size)
        size = _count_equal(self.a, self.b, ahi - 1, bhi - 1, limit=limit, step=-1)
        if size:
            return Match(ahi - size, bhi - size, size)
        steps = self._steps_to[ahi] - self._steps_to[alo]
        if steps > self._steps_left:
            self.is_coarse = True
            return Match(alo, blo, 0)
        self._steps_left -= steps
        return super().find_longest_match(alo, ahi, blo, bhi)


def _count_equal(
    a: Sequence[str],
    b: Sequence[str],
    a_index: int,
    b_index: int,
    *,
    limit: int,
    step: int,
) -> int:
    count = 0
    while count < limit and a[a_index + step * count] == b[b_index + step * count]:
        count += 1
    return count


def _pairs(group: list[Opcode], a: list[str], b: list[str]) -> Iterator[Pair]:
    for kind, a_start, a_end, b_start, b_end in group:
        if kind == "equal":
            left = _cells(a, a_start, a_end, " ")
            right = _cells(b, b_start, b_end, " ")
        else:
            left = _cells(a, a_start, a_end, "-")
            right = _cells(b, b_start, b_end, "+")
        yield from zip_longest(left, right)


def _cells(
    lines: list[str],
    start: int,
    end: int,
    sign: Sign,
) -> Iterator[DiffCell]:
    for index in range(start, end):
        text = lines[index].removesuffix("\n")
        left_out = max(0, len(text) - MAX_LINE)
        yield DiffCell(
            number=index + 1,
            sign=sign,
            text=text[:MAX_LINE],
            left_out=left_out,
        )


def _row_count(group: list[Opcode]) -> int:
    count = 0
    for _, a_start, a_end, b_start, b_end in group:
        count += max(a_end - a_start, b_end - b_start)
    return count


def _range(start: int, end: int) -> str:
    # As `@@` lines write a range: without a count of 1, and an empty range by the line before.
    count = end - start
    if count == 0:
        return f"{start},0"
    if count == 1:
        return str(start + 1)
    return f"{start + 1},{count}"


def _unified_line(sign: str, line: str) -> str:
    if line.endswith("\n"):
        return f"{sign}{line}"
    return f"{sign}{line}\n{NO_NEWLINE}"
