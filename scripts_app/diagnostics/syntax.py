"""The look of a script's own Python at its code, which is compiled and never run: syntax errors and imports."""

import ast
import functools
import logging
import re
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from scripts_app.diagnostics import limited_subprocess
from scripts_app.packages.interpreters import Interpreter

logger = logging.getLogger(__name__)

TIMEOUT_S = 5.0
MAX_BYTES = 64 * 1024  # of the answer
MAX_AT_ONCE, MAX_BYTES_AT_ONCE = 100, 2**20  # texts that one process looks at, and their bytes
MAX_LINE = 1024 * 1024  # characters: no version holds more
MAX_MESSAGE = 300  # characters of a message
# For every Python from 3.8 on. With a `coding` line Python gets the bytes and decodes them as at a run; otherwise the
# text, as Pythons before 3.13 count the columns of bytes in bytes. ascii() because the import of json takes as long as
# all the rest. Imports behind a condition or within a `try` are the script's own choice.
_PROGRAM = """
import sys
def is_of_python(module):
    return any(finder.find_spec(module) for finder in sys.meta_path)
def imported(node):
    kind = type(node).__name__
    if kind == "Import":
        return [alias.name for alias in node.names]
    return [node.module] if kind == "ImportFrom" and not node.level else []
def is_guarded(node):
    if type(node).__name__ == "If":
        return getattr(getattr(node.test, "left", None), "id", "") != "__name__"
    return bool(getattr(node, "handlers", ()))
def missing(tree):
    left, found = [tree], []
    while left:
        node = left.pop()
        for module in imported(node):
            top = module.partition(".")[0]
            if not is_of_python(top):
                found.append((top[:100], node.lineno))
        if not is_guarded(node):
            for part in ("body", "orelse", "finalbody"):
                left.extend(getattr(node, part, ()))
    return sorted(found, key=lambda each: each[1])[:200]
def look(data):
    size = len(data)
    if not any(b"coding" in line for line in data.split(b"\\n", 2)[:2]):
        data = data.decode("utf-8-sig")
    try:
        compile(data, "main.py", "exec", 0, True)
    except SyntaxError as error:
        end = getattr(error, "end_lineno", None), getattr(error, "end_offset", None)
        return (error.lineno, error.offset, *end, error.msg), []
    except (MemoryError, RecursionError):
        return (None, None, None, None, "it is nested too deeply"), []
    except (ValueError, OverflowError) as error:
        return (None, None, None, None, str(error)), []
    return (), missing(compile(data, "main.py", "exec", 0x400, True)) if size <= 200000 else []
sizes = map(int, sys.argv[1:])
sys.stdout.write(ascii([look(sys.stdin.buffer.read(size)) for size in sizes]))
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
class ImportedModule:
    """An import at the beginning of a path that every run takes, of a module that is not Python's own."""

    module: str  # without what stands behind a dot
    line: int


@dataclass(frozen=True, kw_only=True)
class Fault:
    line: int
    column: int
    end_line: int
    end_column: int
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.message}"


@dataclass(frozen=True, kw_only=True)
class Look:
    fault: Fault | None = None
    imports: tuple[ImportedModule, ...] = ()  # none of a text with a fault, or longer than 200 kB


def fault(code: str, interpreter: Interpreter) -> Fault | None:
    """Return the syntax error of a code, or None. Starts a process. Raises Unknown."""
    return look(code, interpreter).fault


def look(code: str, interpreter: Interpreter) -> Look:
    """Return what the Python of a script sees in its code. Starts a process. Raises Unknown."""
    if not code.strip("\n\t "):
        return Look()
    if len(code) > MAX_LINE:
        raise Unknown(f"it has more than {MAX_LINE:,} characters")
    unreadable = _UNREADABLE.search(code)
    if unreadable:
        character = "half a surrogate pair, which is no character"
        if unreadable[0] == "\0":
            character = "a NUL character"
        message = f"source code contains {character}"
        return Look(fault=_fault_at(code, unreadable.start(), message))
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
    return _sentence(found)


def errors_of(codes: Sequence[str], interpreter: Interpreter) -> list[str]:
    """Return error_of() each code; one process looks at many of them."""
    found: dict[str, Look] = {}
    readable = [code for code in dict.fromkeys(codes) if _is_readable(code)]
    for some in _batches(readable):
        try:
            found |= zip(some, _ask(some, interpreter), strict=True)
        except _CHECK_ERRORS:
            continue  # at one of them: each is asked alone
    return [
        _sentence(found[code].fault) if code in found else error_of(code, interpreter)
        for code in codes
    ]


def _sentence(found: Fault | None) -> str:
    return str(found) if found else ""


def _is_readable(code: str) -> bool:
    return bool(code.strip("\n\t ")) and len(code) <= MAX_LINE and not _UNREADABLE.search(code)


def _batches(codes: Sequence[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for code in codes:
        size += len(code)
        if batch and (size > MAX_BYTES_AT_ONCE or len(batch) == MAX_AT_ONCE):
            yield batch
            batch, size = [], len(code)
        batch.append(code)
    if batch:
        yield batch


@functools.lru_cache(maxsize=32)
def _compile(code: str, interpreter: Interpreter) -> Look:
    try:
        return _ask([code], interpreter)[0]
    except subprocess.CalledProcessError as error:
        if error.returncode in _CRASHES:  # a run would crash as well
            message = "Python itself crashes on it: it is nested too deeply"
            return Look(fault=_fault_at(code, 0, message))
        raise


def _ask(codes: Sequence[str], interpreter: Interpreter) -> list[Look]:
    texts = [code.encode() for code in codes]
    sizes = [str(len(text)) for text in texts]
    with limited_subprocess.one_at_a_time(_one_at_a_time, timeout_s=TIMEOUT_S):
        output = limited_subprocess.run(
            [str(interpreter.path), "-I", "-S", "-W", "ignore", "-c", _PROGRAM, *sizes],
            b"".join(texts),
            timeout_s=TIMEOUT_S,
            max_bytes=MAX_BYTES * len(texts),
            read=[interpreter.path.resolve().parent.parent],
        )
    answers = ast.literal_eval(output.decode())
    return [_look_of(code, *answer) for code, answer in zip(codes, answers, strict=True)]


def _look_of(code: str, fields: Sequence[Any], imports: Sequence[tuple[str, int]]) -> Look:
    if fields:
        return Look(fault=_fault_within(code, *fields))
    return Look(imports=tuple(ImportedModule(module=module, line=line) for module, line in imports))


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
