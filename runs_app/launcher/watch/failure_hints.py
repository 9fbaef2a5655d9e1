"""Hints in the end of a script's stderr why the script failed: a stack where it hung, memory refused, a closed path."""

import os
import re
from typing import NamedTuple

_STACK = re.compile(rb"^Current thread 0x[0-9a-f]+.*\(most recent call first\):$", re.MULTILINE)
_FRAME = re.compile(rb'^  File "([^"\n]+)", line (\d+) in (.+)$', re.MULTILINE)
_MEMORY = re.compile(rb"^(?:[\w.]+\.)?_?(?:Array)?MemoryError\b", re.MULTILINE)
_DENIED = re.compile(
    rb"^PermissionError: \[Errno 13\] Permission denied: '([^'\n]+)'", re.MULTILINE
)
_TOO_LARGE = re.compile(rb"^OSError: \[Errno 27\] ", re.MULTILINE)
_NO_PROCESS = re.compile(
    rb"^(?:BlockingIOError: \[Errno 11\]|RuntimeError: can't start new thread)", re.MULTILINE
)
_MANY_FILES = re.compile(rb"^OSError: \[Errno 24\] ", re.MULTILINE)


class Frame(NamedTuple):
    file: str
    line: int
    function: str


def where_it_hung(stderr: bytes, *, home: bytes) -> Frame | None:
    """Return the script's innermost frame in the last stack that faulthandler printed for the main thread."""
    # Files of the script are `main.py` and those in its working folder `home`.
    stacks = list(_STACK.finditer(stderr))
    if not stacks:
        return None
    rest = stderr[stacks[-1].end() + 1 :]
    innermost: Frame | None = None
    for line in rest.split(b"\n"):
        match = _FRAME.match(line)
        if match is None:
            break
        function = match[3].decode(errors="replace")
        frame = Frame(os.fsdecode(match[1]), int(match[2]), function)
        if _is_own(frame.file, os.fsdecode(home)):
            return frame
        innermost = innermost or frame
    return innermost


def ran_out_of_memory(stderr: bytes) -> bool:
    return _ends_with(_MEMORY, stderr)


def denied_path(stderr: bytes) -> str | None:
    match = _DENIED.match(_last_line(stderr))
    if match is None:
        return None
    return os.fsdecode(match[1])


def refused_limit(stderr: bytes) -> str | None:
    """Return the kernel's limit that ended the script: `file_size`, `processes` or `open_files`."""
    for pattern, name in (
        (_TOO_LARGE, "file_size"),
        (_NO_PROCESS, "processes"),
        (_MANY_FILES, "open_files"),
    ):
        if _ends_with(pattern, stderr):
            return name
    return None


def _is_own(file: str, home: str) -> bool:
    return os.path.basename(file) == "main.py" or file.startswith(home.rstrip("/") + "/")


def _ends_with(pattern: re.Pattern[bytes], stderr: bytes) -> bool:
    return pattern.match(_last_line(stderr)) is not None


def _last_line(stderr: bytes) -> bytes:
    return stderr.rstrip().rpartition(b"\n")[2]
