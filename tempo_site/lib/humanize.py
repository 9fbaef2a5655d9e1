"""Numbers and names as people read them: safe names, spans of time."""

import re
import unicodedata

MAX_SLUG = 60


def safe_name(name: str) -> str:
    """Return the filesystem-safe form of a display name, or "" when nothing of it is left.

    Lower case, runs of white space, `_`, `.`, `/` and `-` become one hyphen, accents are dropped, everything but
    `a-z0-9-` goes. At most 60 characters, so that it stays a sane file name and URL.
    """
    plain = (
        unicodedata.normalize("NFKD", name.replace("ß", "ss"))
        .encode("ascii", "ignore")
        .decode()
        .lower()
    )
    hyphened = re.sub(r"[\s_.\-/]+", "-", plain)
    return re.sub(r"-+", "-", re.sub(r"[^a-z0-9-]", "", hyphened)).strip("-")[:MAX_SLUG].rstrip("-")


def span(seconds: float) -> str:
    """Return a duration in at most two units: `0.42 s`, `12 s`, `3 min 20 s`, `3 h 12 min`, `2 d 4 h`."""
    if seconds < 10:
        return f"{seconds:.2f} s"
    whole = round(seconds)
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    for index, (unit, size) in enumerate(units):
        if whole >= size:
            rest = whole % size // units[index + 1][1] if size > 1 else 0
            return f"{whole // size} {unit}" + (f" {rest} {units[index + 1][0]}" if rest else "")
    return "0 s"


def whole_span(seconds: float) -> str:
    """Return the same without fractions: `7 s`, `3 min 20 s`."""
    return span(seconds) if seconds >= 10 else f"{seconds:.0f} s"
