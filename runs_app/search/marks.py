"""A found line as people see it: cut around its first hit where it is long, and every hit marked."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

MAX_LINE = 1000  # characters of a found line
MAX_CONTEXT = 300  # of a line beside it
LEAD = 200  # kept before the first hit
CUT = "…"

Span = tuple[int, int]


class MarkedPiece(NamedTuple):
    text: str
    is_hit: bool


def spans_of_words(text: str, words: Iterable[str]) -> list[Span]:
    alternatives = "|".join(re.escape(word) for word in words)
    if not alternatives:
        return []
    return [found.span() for found in re.finditer(alternatives, text, re.IGNORECASE)]


def pieces(text: str, spans: Sequence[Span]) -> list[MarkedPiece]:
    """Split a line at its hits, where it is long only what is around the first one."""
    begin = end = 0
    if len(text) > MAX_LINE:
        first = min(spans, default=(0, 0))[0]
        begin = max(0, first - LEAD)
    end = min(len(text), begin + MAX_LINE)
    found = [MarkedPiece(CUT, False)] if begin else []
    at = begin
    for start, stop in sorted(spans):
        start, stop = max(start, at), min(stop, end)
        if start >= stop:
            continue
        if start > at:
            found.append(MarkedPiece(text[at:start], False))
        found.append(MarkedPiece(text[start:stop], True))
        at = stop
    if at < end:
        found.append(MarkedPiece(text[at:end], False))
    if end < len(text):
        found.append(MarkedPiece(CUT, False))
    return found


def shortened(text: str) -> str:
    if len(text) > MAX_CONTEXT:
        return text[:MAX_CONTEXT] + CUT
    return text
