"""Texts as receivers can take them: no control characters, no calls to everybody, within a length."""

import json
import re
from collections.abc import Callable

# Colours and the other sequences of a terminal (ECMA-48), then control characters but tab and line feed, and halves
# of surrogate pairs, which no JSON or mail may hold.
_SEQUENCES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-_]")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
# What calls everybody in Discord, Slack, Mattermost, Matrix, Zulip and Google Chat, and somebody in the first two.
_CALLS = re.compile(
    r"@(?=(?:everyone|here|channel|all|room)\b|\*\*)|<(?=[@!#]|users/)", re.IGNORECASE
)
_INVISIBLE = "\u200b"


def clean(text: str) -> str:
    """Return the text without what a terminal would interpret."""
    text = _SEQUENCES.sub("", text.replace("\r\n", "\n"))
    return _CONTROLS.sub("", text)


def one_line(text: str) -> str:
    return " ".join(clean(text).split())


def without_calls(text: str) -> str:
    """Return the text so that what a script prints calls nobody in a chat (`@everyone`, `<!channel>`)."""
    return _CALLS.sub(lambda match: match[0] + _INVISIBLE, text)


def characters(text: str) -> int:
    """Return the length as JavaScript and most services count it: an emoji is two."""
    return len(text) + sum(1 for character in text if character > "\uffff")


def utf8_bytes(text: str) -> int:
    return len(text.encode())


def halves_of_json(text: str) -> int:
    """Return the length in UTF-8, or half of the length in JSON where that is more, as it is for emoji."""
    return max(utf8_bytes(text), (len(json.dumps(text)) + 1) // 2)


def cut(text: str, limit: int, *, measure: Callable[[str], int] = characters) -> str:
    """Return the text, or its beginning with `…`, so that its measured length is within the limit."""
    if measure(text) <= limit:
        return text
    if limit < measure("…"):
        return ""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if measure(text[:middle] + "…") <= limit:
            low = middle
        else:
            high = middle - 1
    return text[:low] + "…"
