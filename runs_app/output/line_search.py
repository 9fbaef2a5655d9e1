"""Plain-text search over the lines of one log, whatever the case and the colours within a line."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from runs_app.output import records, terminal
from runs_app.output.line_index import LineIndex

MAX_MATCHES = 10_000
TIMEOUT_S = 3.0


@dataclass(frozen=True, kw_only=True)
class Matches:
    """Numbers of the lines that hold a text, among the first `searched` lines; `is_cut`: there may be more."""

    numbers: list[int]
    searched: int
    is_cut: bool


def search(index: LineIndex, text: str, *, first: int = 1, timeout_s: float = TIMEOUT_S) -> Matches:
    """Find lines from number `first` on that hold `text`: at most 10,000, and as many as the time allows."""
    deadline = time.monotonic() + timeout_s
    wanted = text.lower()
    numbers: list[int] = []
    searched = first - 1
    position: int | None = None
    is_done = False
    while not is_done and len(numbers) <= MAX_MATCHES and time.monotonic() < deadline:
        # Taken for each block anew: a reader who wants lines meanwhile does not wait for the whole search.
        with index.reading():
            position = index.position_of(first) if position is None else position + 1
            found = _numbers_in_block(index, position, wanted)
            numbers.extend(number for number in found if number >= first)
            searched = index.lines_begun_before(position + 1)
            is_done = position + 1 >= len(index.blocks)
    is_cut = not is_done or len(numbers) > MAX_MATCHES
    return Matches(numbers=numbers[:MAX_MATCHES], searched=searched, is_cut=is_cut)


def search_back(
    index: LineIndex, text: str, *, before: int, timeout_s: float = TIMEOUT_S
) -> Matches:
    """Find the last lines before number `before` that hold `text`; `is_cut` says that there may be earlier lines."""
    deadline = time.monotonic() + timeout_s
    wanted = text.lower()
    numbers: list[int] = []
    position: int | None = None
    while position != 0 and len(numbers) <= MAX_MATCHES and time.monotonic() < deadline:
        with index.reading():
            position = index.position_of(before - 1) if position is None else position - 1
            found = _numbers_in_block(index, position, wanted)
            numbers = [*(number for number in found if number < before), *numbers]
    is_cut = position != 0 or len(numbers) > MAX_MATCHES
    return Matches(numbers=numbers[-MAX_MATCHES:], searched=index.total, is_cut=is_cut)


def _numbers_in_block(index: LineIndex, position: int, wanted: str) -> Iterator[int]:
    # Numbers of the lines that begin in a block and hold a text.
    if position >= len(index.blocks):
        return
    block = index.blocks[position]
    if block.is_plain:
        data = index.bytes_of_block(position)
        if not terminal.has_moves(data.replace(b"\r\n", b"\n")):
            text = records.text_of_regular(data)
            yield from _numbers_in_text(terminal.plain_text(text).lower(), wanted, block.lines + 1)
            return
    for line in index.lines_begun_in(position):
        is_found = wanted in terminal.plain_text(line.text).lower()
        if not is_found and line.is_cut:
            is_found = _is_in_whole_line(index, position, line.number, wanted)
        if is_found:
            yield line.number


def _is_in_whole_line(index: LineIndex, position: int, number: int, wanted: str) -> bool:
    # For a line that is too long to be kept whole; a text is also found where two pieces meet.
    before = ""
    for record in index.records_of_line(number, position):
        before += terminal.plain_text(record.text.decode("utf-8", "replace")).lower()
        if wanted in before:
            return True
        before = before[-len(wanted) :]
    return False


def _numbers_in_text(text: str, wanted: str, number: int) -> Iterator[int]:
    # `number` is that of the text's first line.
    counted = 0
    found = text.find(wanted)
    while found >= 0:
        number += text.count("\n", counted, found)
        yield number
        counted = text.find("\n", found)
        found = text.find(wanted, counted) if counted >= 0 else -1
