"""Reads the code of a Python file that a crontab names: regular `.py` files outside the data folder alone."""

import os
import re
import stat
import tokenize
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from scripts_app import validation
from scripts_app.validation import MAX_TEXT_BYTES, ScriptError
from tempo_site.lib import paths

SUFFIX = ".py"
MAX_BYTES_AT_ONCE = 20 * 1024 * 1024
# The encodings that people write scripts in. Python knows some more, of which a few take very long.
ENCODINGS = frozenset({"utf-8", "utf-8-sig", "ascii", "iso-8859-1", "iso-8859-15", "cp1252"})
_COOKIE = re.compile(r"^([ \t\f]*#.*?coding[:=][ \t]*)([-\w.]+)", re.ASCII)

Read = Callable[[str], str]


class UnreadableFile(ValueError):
    """Why a file is not read; str() ends a sentence that begins with the path: `/x.py` *is a folder*."""


def reader() -> Read:
    """Return a function that reads the code at a path until 20 MB were read, and raises UnreadableFile.

    The total is bounded because every line that names a file gets a copy of the code.
    """
    left = MAX_BYTES_AT_ONCE

    def read_within_limit(path: str) -> str:
        nonlocal left
        if left <= 0:
            raise UnreadableFile(
                "was left out: the files have more than 20 MB. Bring the lines in parts"
            )
        code = read_code(path)
        left -= len(code)
        return code

    return read_within_limit


def read_code(path: str) -> str:
    if not path.startswith("/"):
        raise UnreadableFile(
            "is a relative path, and the crontab does not say from where (`HOME=` does)"
        )
    try:
        data = _bytes_of(path)
    except (OSError, ValueError) as error:
        if isinstance(error, OSError):
            reason = (error.strerror or "").lower()
        else:
            reason = str(error)
        raise UnreadableFile(f"cannot be read: {reason or type(error).__name__}") from error
    return _text_of(data)


# A path handle first: to open a device or a pipe could set something off.
def _bytes_of(path: str) -> bytes:
    handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        _refuse_others(Path(f"/proc/self/fd/{handle}").readlink(), os.fstat(handle))
        descriptor = os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    finally:
        os.close(handle)
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(MAX_TEXT_BYTES + 1)
    if len(data) > MAX_TEXT_BYTES:
        raise UnreadableFile("is larger than 1 MB, which is the most a script may have")
    return data


# `real` is the target of a link.
def _refuse_others(real: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableFile("is no regular file")
    if real.suffix != SUFFIX:
        raise UnreadableFile(f"is no `{SUFFIX}` file; others are not read")
    if real.is_relative_to(paths.data().resolve()):
        raise UnreadableFile("lies in Tempo's own data folder, which is not read")


def _text_of(data: bytes) -> str:
    try:
        encoding, _ = tokenize.detect_encoding(BytesIO(data).readline)
    except SyntaxError as error:
        raise UnreadableFile(
            "names an encoding that is unknown, or has none; save it as UTF-8"
        ) from error
    if encoding not in ENCODINGS:
        raise UnreadableFile(f"is written in {encoding[:20]}; save it as UTF-8")
    try:
        code = validation.text(data.decode(encoding), field="code")
    except (UnicodeDecodeError, ScriptError) as error:
        raise UnreadableFile(f"is no text in {encoding}; save it as UTF-8") from error
    if encoding.startswith("utf-8"):
        return code
    return _as_utf8(code)


def _as_utf8(code: str) -> str:
    lines = code.split("\n", 2)
    for number, line in enumerate(lines[:2]):
        lines[number] = _COOKIE.sub(r"\1utf-8", line)
    return "\n".join(lines)
