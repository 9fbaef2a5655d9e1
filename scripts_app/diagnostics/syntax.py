"""Whether a Python can read a code: that very Python is asked, which compiles it and runs nothing of it."""

import ast
import functools
import logging
import re
import signal
import subprocess
import threading
from dataclasses import dataclass

from scripts_app.diagnostics import limited_subprocess
from scripts_app.packages.interpreters import Interpreter

logger = logging.getLogger(__name__)

TIMEOUT_S = 5.0
MAX_BYTES = 64 * 1024  # of the answer
MAX_LINE = 1024 * 1024  # characters: no version holds more
MAX_MESSAGE = 300  # characters of a message
# It runs under every Python from 3.8 on. Where a line may say `coding`, Python gets the bytes of the file, to decode
# them as at a run; else the text, as Pythons before 3.13 count the columns of bytes in bytes. ascii() instead of JSON:
# to import that takes as long as all the rest.
_ASK = """
import sys
def tell(*fields):
    sys.stdout.write(ascii(fields))
data = sys.stdin.buffer.read()
if not any(b"coding" in line for line in data.split(b"\\n", 2)[:2]):
    data = data.decode("utf-8-sig")
try:
    compile(data, "main.py", "exec", 0, True)
except SyntaxError as error:
    end = getattr(error, "end_lineno", None), getattr(error, "end_offset", None)
    tell(error.lineno, error.offset, *end, error.msg)
except (MemoryError, RecursionError):
    tell(None, None, None, None, "it is nested too deeply")
except (ValueError, OverflowError) as error:
    tell(None, None, None, None, str(error))
else:
    tell()
"""
_UNREADABLE = re.compile("[\0\ud800-\udfff]")
_CRASHES = frozenset({-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS})
_one_at_a_time = threading.Lock()


class Unknown(Exception):
    """It could not be found out whether a code can be read; str() says why."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What a Python cannot read, and where; lines and columns count from 1, the end is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.message}"


def fault(code: str, interpreter: Interpreter) -> Fault | None:
    """Return why this Python cannot read a code, or None when it can. It starts a process. Raises Unknown."""
    if not code.strip("\n\t "):
        return None
    if len(code) > MAX_LINE:
        raise Unknown(f"it has more than {MAX_LINE:,} characters")
    if found := _UNREADABLE.search(code):
        what = (
            "a NUL character"
            if found[0] == "\0"
            else "half a surrogate pair, which is no character"
        )
        return _at(code, found.start(), f"source code contains {what}")
    try:
        return _ask(code, interpreter)
    except (
        OSError,
        subprocess.SubprocessError,
        ValueError,
        TypeError,
        SyntaxError,
        RecursionError,
    ) as error:
        logger.warning("syntax not looked at: python=%s: %s", interpreter.path, error)
        raise Unknown(f"Python {interpreter.version} failed on it") from error


def error_of(code: str, interpreter: Interpreter) -> str:
    """Return what a version keeps of its fault, `line 3: invalid syntax`; "" when there is none or nobody knows."""
    try:
        found = fault(code, interpreter)
    except Unknown:
        return ""
    return str(found) if found else ""


@functools.lru_cache(maxsize=32)
def _ask(code: str, interpreter: Interpreter) -> Fault | None:
    command = [str(interpreter.path), "-I", "-S", "-W", "ignore", "-c", _ASK]
    try:
        with limited_subprocess.one_at_a_time(_one_at_a_time, patience_s=TIMEOUT_S):
            answer = limited_subprocess.answer(
                command, code.encode(), patience_s=TIMEOUT_S, most_bytes=MAX_BYTES
            )
    except subprocess.CalledProcessError as error:
        if error.returncode in _CRASHES:  # as it would at a run
            return _at(code, 0, "Python itself crashes on it: it is nested too deeply")
        raise
    found = ast.literal_eval(answer.decode())
    return _placed(code, *found) if found else None


def _placed(
    code: str,
    line: int | None,
    column: int | None,
    end_line: int | None,
    end_column: int | None,
    message: str,
) -> Fault:
    """A fault where Python says it is, within the text: it names line 0, lines behind the end, or none at all."""
    message = message[:MAX_MESSAGE]
    if not line:
        return _at(code, 0, message)
    lines = code.split("\n")
    line = min(line, len(lines))
    column = min(max(column or 1, 1), len(lines[line - 1]) + 1)
    is_span = (end_line or 0, end_column or 0) > (line, column) and (end_line or 0) <= len(lines)
    return Fault(
        line=line,
        column=column,
        end_line=end_line if is_span and end_line else line,
        end_column=end_column if is_span and end_column else column + 1,
        message=message,
    )


def _at(code: str, offset: int, message: str) -> Fault:
    line = code.count("\n", 0, offset) + 1
    column = offset - code.rfind("\n", 0, offset)
    return Fault(line=line, column=column, end_line=line, end_column=column + 1, message=message)
