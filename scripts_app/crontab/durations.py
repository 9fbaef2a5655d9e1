"""Durations as `sleep`, `timeout` and `@every` write them."""

import re

_UNITS_S = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"(?P<number>[0-9]{1,9}(?:\.[0-9]{1,3})?)(?P<unit>[smhd]?)")


def seconds_of(text: str | None) -> int | None:
    """Return a duration such as `5m` in whole seconds, at least one; None for any other text."""
    match = _DURATION.fullmatch(text or "")
    if match is None:
        return None
    return max(1, round(float(match["number"]) * _UNITS_S[match["unit"]]))
