"""Texts of scripts and people, made fit for a message: no control characters, no terminal sequences."""

import re

from runs_app.output import terminal

_LINE_BREAKS = re.compile(r"\s*[\r\n\x0b\x0c\x85\u2028\u2029]+\s*")
_ODD = re.compile(r"[\ud800-\udfff\ufffe\uffff\u202a-\u202e\u2066-\u2069]")
CUT = "…"


def line(text: str, limit: int = 200) -> str:
    """Return a text as one line of at most `limit` characters, fit for a subject."""
    return shortened(block(_LINE_BREAKS.sub(" ", text)).replace("\t", " ").strip(), limit)


def block(text: str) -> str:
    """Return a text whose only control characters are line breaks and tabs."""
    plain = terminal.plain_text(text.replace("\r\n", "\n").replace("\r", "\n"))
    return _ODD.sub("\ufffd", plain)


def shortened(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    return text[: limit - 1].rstrip() + CUT
