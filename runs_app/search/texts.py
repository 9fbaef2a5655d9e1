"""Which text of a log can be found: what a terminal shows, in any case, without long stretches of encoded data."""

import re

from runs_app.output import terminal

# Base64, minified files: such words would double the index, and nobody types a part of them.
MAX_WORD = 1000  # characters without a space
_LONG_WORD = re.compile(rf"(?<!\S)\S{{{MAX_WORD + 1},}}")  # from the begin of a word: linear


def folded(text: str) -> str:
    """Return a text as it is indexed and compared. It has as many lines as before."""
    if has_long_words(text):
        text = _LONG_WORD.sub("", text)
    return text.casefold()


def has_long_words(text: str) -> bool:
    return max(map(len, text.split()), default=0) > MAX_WORD


def shown(data: str) -> str:
    """Return what a page shows of a stored line, or of several."""
    return terminal.plain_text(data)
