"""Checks of names, folders, tags and texts of scripts; refusals are sentences for the user."""

import unicodedata
from collections.abc import Sequence

MAX_NAME = 200
MAX_FOLDER = 300
MAX_TAG = 50
MAX_TAGS = 50
MAX_TEXT_BYTES = 1024 * 1024


class ScriptError(ValueError):
    """A value of a script that cannot be saved: `field` names the field, str() the problem and the remedy."""

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field


def text(value: object, *, field: str) -> str:
    """Return a text with `\\n` line ends. Raise ScriptError: no text, over 1 MB, a NUL or half a surrogate pair."""
    if not isinstance(value, str):
        raise ScriptError(f"`{field}` has to be text", field=field)
    if "\0" in value:
        raise ScriptError(
            f"`{field}` contains a NUL character, which Python does not accept", field=field
        )
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise ScriptError(
            f"`{field}` contains half a surrogate pair, which is no character", field=field
        ) from None
    if size > MAX_TEXT_BYTES:
        raise ScriptError(f"`{field}` has {size:,} bytes; 1 MB is the most", field=field)
    return value.replace("\r\n", "\n").replace("\r", "\n")


def line(value: object, *, field: str, limit: int) -> str:
    """Return a trimmed line of at most `limit` characters. Raise ScriptError, also for control characters."""
    plain = text(value, field=field).strip()
    if len(plain) > limit:
        sentence = f"`{field}` has {len(plain)} characters; {limit} is the most"
        raise ScriptError(sentence, field=field)
    categories = map(unicodedata.category, plain)
    if any(category in ("Cc", "Zl", "Zp") for category in categories):
        raise ScriptError(
            f"`{field}` contains a control character such as a line break", field=field
        )
    return plain


def name(value: object) -> str:
    """Return a display name. Raise ScriptError: empty, over 200 characters, without a letter or digit."""
    plain = line(value, field="name", limit=MAX_NAME)
    if not plain:
        raise ScriptError("A script needs a name", field="name")
    if not any(character.isalnum() for character in plain):
        raise ScriptError(
            f"`{plain}` contains no letter and no digit: a name needs at least one", field="name"
        )
    return plain


def folder_path(value: object, *, field: str = "folder") -> str:
    """Return a folder path with trimmed parts, or "" for the top. Raise ScriptError for empty parts, `.` and `..`."""
    plain = line(value, field=field, limit=MAX_FOLDER)
    if not plain:
        return ""
    parts = [part.strip() for part in plain.split("/")]
    if any(part in ("", ".", "..") for part in parts):
        raise ScriptError(
            f"`{plain}` has an empty part, `.` or `..`\nhint: write folders like `Ops/Nightly`",
            field=field,
        )
    return "/".join(parts)


def tags(value: object) -> list[str]:
    """Return trimmed tags, each once, in the given order. Raise ScriptError for no list, or long texts."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ScriptError("`tags` has to be a list of texts", field="tags")
    lines = [line(tag, field="tags", limit=MAX_TAG) for tag in value]
    found = list(dict.fromkeys(filter(None, lines)))
    if len(found) > MAX_TAGS:
        raise ScriptError(f"`tags` has {len(found)} entries; {MAX_TAGS} is the most", field="tags")
    return found
