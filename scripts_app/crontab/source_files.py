"""Reads the code of a Python file that a crontab names: `.py` files, Python programs, and what lies beside them."""

import os
import re
import stat
import tokenize
from io import BytesIO
from pathlib import Path

from scripts_app import validation
from scripts_app.validation import MAX_TEXT_BYTES, ScriptError
from tempo_site.lib import paths

SUFFIX = ".py"
MAX_BYTES_AT_ONCE = 20 * 1024 * 1024
# The encodings that people write scripts in. Python knows some more, of which a few take very long.
ENCODINGS = frozenset({"utf-8", "utf-8-sig", "ascii", "iso-8859-1", "iso-8859-15", "cp1252"})
_SHEBANG = re.compile(rb"#!\s*/[^\n]{0,200}\bpython[0-9.]*(?:\s|$)")
_COOKIE = re.compile(r"^([ \t\f]*#.*?coding[:=][ \t]*)([-\w.]+)", re.ASCII)


class UnreadableFile(ValueError):
    """Why a file is not read; str() ends a sentence that begins with the path: `/x.py` *is a folder*."""


class Sources:
    """The files of this machine, of which 20 MB are read in all: every line that names a file gets a copy of it."""

    may_read = True

    def __init__(self) -> None:
        self._left = MAX_BYTES_AT_ONCE

    def code(self, path: str) -> str:
        """Return the code at a path. Raise UnreadableFile."""
        self._refuse_too_much()
        code = read_code(path)
        self._left -= len(code)
        return code

    def data(self, path: str) -> bytes:
        """Return a file that lies beside code. Raise UnreadableFile."""
        self._refuse_too_much()
        data = _read(path, is_code=False)
        self._left -= len(data)
        return data

    def is_python_program(self, path: str) -> bool:
        """Return whether a file without `.py` begins with a line that names a Python."""
        try:
            return path.startswith("/") and bool(_SHEBANG.match(_read(path, is_code=True)))
        except UnreadableFile:
            return False

    def _refuse_too_much(self) -> None:
        if self._left <= 0:
            raise UnreadableFile(
                "was left out: the files have more than 20 MB. Bring the lines in parts"
            )


class NoSources(Sources):
    """For people who may not have the server's files read."""

    may_read = False

    def code(self, _: str) -> str:
        raise UnreadableFile("was not read: only staff may have Tempo read the server's files")

    def data(self, path: str) -> bytes:
        raise UnreadableFile("was not read")

    def is_python_program(self, _: str) -> bool:
        return False


def read_code(path: str) -> str:
    if not path.startswith("/"):
        raise UnreadableFile(
            "is a relative path, and the crontab does not say from where (`HOME=` does)"
        )
    return _text_of(_read(path, is_code=True))


def _read(path: str, *, is_code: bool) -> bytes:
    try:
        return _bytes_of(path, is_code=is_code)
    except UnreadableFile:
        raise
    except OSError as error:
        reason = (error.strerror or "").lower() or type(error).__name__
        raise UnreadableFile(f"cannot be read: {reason}") from error
    except ValueError as error:
        raise UnreadableFile(f"cannot be read: {error}") from error


# A path handle first: to open a device or a pipe could set something off.
def _bytes_of(path: str, *, is_code: bool) -> bytes:
    handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        real = Path(f"/proc/self/fd/{handle}").readlink()
        _refuse_others(real, os.fstat(handle))
        descriptor = os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    finally:
        os.close(handle)
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(MAX_TEXT_BYTES + 1)
    if len(data) > MAX_TEXT_BYTES:
        raise UnreadableFile("is larger than 1 MB, which is the most a script may have")
    is_named_so = real.suffix == (SUFFIX if is_code else Path(path).suffix)
    if not is_named_so and not (is_code and _SHEBANG.match(data)):
        raise UnreadableFile(f"is no `{SUFFIX}` file; others are not read")
    return data


# `real` is the target of a link.
def _refuse_others(real: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableFile("is no regular file")
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
