"""Numbers and names as people read them: safe names, spans of time."""

import itertools
import re
import unicodedata

MAX_SLUG = 60
UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))  # of a span, in seconds


def safe_name(name: str) -> str:
    """Return the filesystem-safe form of a display name; "" when no character can be kept.

    Lower case, runs of white space, `_`, `.`, `/` and `-` become one hyphen, accents are dropped, all characters but
    `a-z0-9-` go. At most 60 characters, for file names and URLs.
    """
    decomposed = unicodedata.normalize("NFKD", name.replace("ß", "ss"))
    plain = decomposed.encode("ascii", "ignore").decode().lower()
    hyphened = re.sub(r"[\s_.\-/]+", "-", plain)
    safe = re.sub(r"[^a-z0-9-]", "", hyphened)
    single_hyphens = re.sub(r"-+", "-", safe).strip("-")
    return single_hyphens[:MAX_SLUG].rstrip("-")


def span(seconds: float) -> str:
    """Return a duration in at most two units: `0.42 s`, `12 s`, `3 min 20 s`, `3 h 12 min`, `2 d 4 h`."""
    if seconds < 10:
        return f"{seconds:.2f} s"
    whole = round(seconds)
    for (unit, size), (smaller_unit, smaller_size) in itertools.pairwise(UNITS):
        if whole >= size:
            rest = whole % size // smaller_size
            text = f"{whole // size} {unit}"
            return f"{text} {rest} {smaller_unit}" if rest else text
    return f"{whole} s"


def amount(number: int, unit: str) -> str:
    """Return a whole number with its unit in few words: `5 min` for 300 seconds, `2 GB` for 2048 MB, `7 days`."""
    if unit == "seconds":
        return span(number)
    if unit == "MB" and number and number % 1024 == 0:
        return f"{number // 1024:,} GB"
    if number == 1:
        unit = unit.removesuffix("s")
    return f"{number:,} {unit}".strip()


def whole_span(seconds: float) -> str:
    if seconds >= 10:
        return span(seconds)
    return f"{seconds:.0f} s"
