"""The syntax check of a script: the Python of the script compiles the code without running any of the code."""

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
# For every Python from 3.8 on. With a `coding` line Python gets the bytes and decodes them as at a run; otherwise the
# text, as Pythons before 3.13 count the columns of bytes in bytes. ascii() because the import of json takes as long as
# all the rest.
_PROGRAM = """
import sys
def report(*fields):
    sys.stdout.write(ascii(fields))
data = sys.stdin.buffer.read()
if not any(b"coding" in line for line in data.split(b"\\n", 2)[:2]):
    data = data.decode("utf-8-sig")
try:
    compile(data, "main.py", "exec", 0, True)
except SyntaxError as error:
    end = getattr(error, "end_lineno", None), getattr(error, "end_offset", None)
    report(error.lineno, error.offset, *end, error.msg)
except (MemoryError, RecursionError):
    report(None, None, None, None, "it is nested too deeply")
except (ValueError, OverflowError) as error:
    report(None, None, None, None, str(error))
else:
    report()
"""
_UNREADABLE = re.compile("[\0\ud800-\udfff]")
_CRASHES = frozenset({-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS})
_CHECK_ERRORS = (
    OSError,
    subprocess.SubprocessError,
    ValueError,
    TypeError,
    SyntaxError,
    RecursionError,
)
_one_at_a_time = threading.Lock()


class Unknown(Exception):
    """The check of a code failed; str() is the reason."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    line: int
    column: int
    end_line: int
    end_column: int
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.message}"


def fault(code: str, interpreter: Interpreter) -> Fault | None:
    """Return the syntax error of a code, or None. Starts a process. Raises Unknown."""
    if not code.strip("\n\t "):
        return None
    if len(code) > MAX_LINE:
        raise Unknown(f"it has more than {MAX_LINE:,} characters")
    unreadable = _UNREADABLE.search(code)
    if unreadable:
        character = "half a surrogate pair, which is no character"
        if unreadable[0] == "\0":
            character = "a NUL character"
        return _fault_at(code, unreadable.start(), f"source code contains {character}")
    try:
        return _compile(code, interpreter)
    except _CHECK_ERRORS as error:
        logger.warning("syntax not looked at: python=%s: %s", interpreter.path, error)
        raise Unknown(f"Python {interpreter.version} failed on it") from error


def error_of(code: str, interpreter: Interpreter) -> str:
    """Return a syntax error for a version row: `line 3: invalid syntax`; "" for none or after a failed check."""
    try:
        found = fault(code, interpreter)
    except Unknown:
        return ""
    return str(found) if found else ""


@functools.lru_cache(maxsize=32)
def _compile(code: str, interpreter: Interpreter) -> Fault | None:
    command = [str(interpreter.path), "-I", "-S", "-W", "ignore", "-c", _PROGRAM]
    try:
        with limited_subprocess.one_at_a_time(_one_at_a_time, timeout_s=TIMEOUT_S):
            output = limited_subprocess.run(
                command,
                code.encode(),
                timeout_s=TIMEOUT_S,
                max_bytes=MAX_BYTES,
                read=[interpreter.path.resolve().parent.parent],
            )
    except subprocess.CalledProcessError as error:
        if error.returncode in _CRASHES:  # a run would crash as well
            return _fault_at(code, 0, "Python itself crashes on it: it is nested too deeply")
        raise
    fields = ast.literal_eval(output.decode())
    return _fault_within(code, *fields) if fields else None


def _fault_within(
    code: str,
    line: int | None,
    column: int | None,
    end_line: int | None,
    end_column: int | None,
    message: str,
) -> Fault:
    # Python may report line 0, a line behind the end, or no line.
    message = message[:MAX_MESSAGE]
    if not line:
        return _fault_at(code, 0, message)
    lines = code.split("\n")
    line = min(line, len(lines))
    column = min(max(column or 1, 1), len(lines[line - 1]) + 1)
    end_line = end_line or 0
    end_column = end_column or 0
    is_valid_end = (end_line, end_column) > (line, column) and end_line <= len(lines)
    return Fault(
        line=line,
        column=column,
        end_line=end_line if is_valid_end else line,
        end_column=end_column if is_valid_end and end_column else column + 1,
        message=message,
    )


def _fault_at(code: str, offset: int, message: str) -> Fault:
    line = code.count("\n", 0, offset) + 1
    column = offset - code.rfind("\n", 0, offset)
    return Fault(
        line=line,
        column=column,
        end_line=line,
        end_column=column + 1,
        message=message,
    )
