"""JSON of a request: as the standard has it, and bounded before anything is built of it."""

import json
import re
from typing import Any

MAX_DEPTH = 64
MAX_VALUES = 20_000  # a request of Tempo's own has dozens
# A string that is never closed is one as well, up to the end: else each quote in it would begin another search.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_OPENING = b"[{"


def parse(body: bytes) -> dict[str, Any]:
    """Return what a body says. Raises ValueError for what is no JSON, too deep or of too many values."""
    check_bounds(body)
    # Of bytes, json.loads would guess the encoding: in UTF-16 the strings begin and end elsewhere than counted.
    text = body.decode("utf-8-sig")
    content: dict[str, Any] = json.loads(text, parse_constant=_refuse_constant)
    return content


def check_bounds(body: bytes) -> None:
    """Raise ValueError when a text would become more than 20,000 values, or 64 levels of them.

    Only marks outside of strings count, so that no object is made before the text is known to be small.
    """
    skeleton = _STRING.sub(b"", body)
    if sum(map(skeleton.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise ValueError(f"more than {MAX_VALUES:,} values")
    depth = 0
    for mark in re.findall(rb"[\[\]{}]", skeleton):
        depth += 1 if mark in _OPENING else -1
        if depth > MAX_DEPTH:
            raise ValueError(f"nested deeper than {MAX_DEPTH} levels")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"`{name}` is not JSON")
