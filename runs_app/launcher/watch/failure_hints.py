"""Hints in the end of a script's stderr why the script failed: a stack where it hung, memory refused, a closed path."""

import os
import re
from typing import NamedTuple

from runs_app.launcher.watch.last_words import LastWords

_STACK = re.compile(rb"^Current thread 0x[0-9a-f]+.*\(most recent call first\):$", re.MULTILINE)
_FRAME = re.compile(rb'^  File "([^"\n]+)", line (\d+) in (.+)$', re.MULTILINE)
_MEMORY = re.compile(
    r"^(?:[\w.]+\.)?_?(?:Array)?MemoryError\b|^OSError: \[Errno 12\] "
    r"|Cannot allocate memory|[Mm]alloc\b.*\bfailed|memory allocation of \d+ bytes failed|bad_alloc|memory exhausted"
)
_LIMITS = {
    "file_size": re.compile(r"^OSError: \[Errno 27\] |: File too large$"),
    "processes": re.compile(
        r"^BlockingIOError: \[Errno 11\]|^RuntimeError: can't start new thread"
        r"|[Ff]ork: .*Resource temporarily unavailable"
    ),
    "open_files": re.compile(r"^OSError: \[Errno 24\] |: Too many open files$"),
}
_DENIED = re.compile(
    r"^PermissionError: \[Errno 13\] Permission denied: "
    r"(['\"])(?P<path>.+?)\1(?: -> (['\"])(?P<target>.+?)\3)?$"
)
# As shells and their tools say it: `cp: cannot create regular file '/x': Permission denied`.
_CHILD_DENIED = re.compile(r"(?:^|[\s'\"‘])(?P<path>(?:/|\./)[^'\"’:]*)['\"’]?: Permission denied$")
_NO_MODULE = re.compile(r"\bNo module named (['\"]?)(?P<name>[\w.]+)\1$")
# The child's own words stand among the lines before these.
_CHILD_FAILED = re.compile(
    r"CalledProcessError|CommandError|UnexpectedExit|non-zero|exit(?:ed with)? (?:code|status)"
)
_CHILDS_LINES = 20


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


def telling_lines(words: LastWords) -> list[str]:
    """Return the lines that may say why it ended, the last first: its errors, and of a child that failed its words."""
    lines = words.after
    if not words.errors or any(map(_CHILD_FAILED.search, words.errors)):
        lines = words.lines
    return [*words.errors, *lines[: -_CHILDS_LINES - 1 : -1]]


def ran_out_of_memory(lines: list[str]) -> bool:
    return any(_MEMORY.search(line) and "CUDA" not in line for line in lines)


def refused_limit(lines: list[str]) -> str | None:
    """Return the kernel's limit that ended the script: `file_size`, `processes` or `open_files`."""
    for line in lines:
        for name, pattern in _LIMITS.items():
            if pattern.search(line):
                return name
    return None


def denied_paths(lines: list[str]) -> list[str]:
    """Return the path that was refused; two where a file was to get another name, as either may be meant."""
    for line in lines:
        match = _DENIED.match(line)
        if match:
            return [path for path in (match["path"], match["target"]) if path]
        match = _CHILD_DENIED.search(line)
        if match:
            return [match["path"]]
    return []


def missing_module(lines: list[str]) -> str | None:
    for line in lines:
        match = _NO_MODULE.search(line)
        if match:
            return match["name"]
    return None


def _is_own(file: str, home: str) -> bool:
    return os.path.basename(file) == "main.py" or file.startswith(home.rstrip("/") + "/")
