"""A run's folder as the settler reads it: no link in it is followed, nothing is waited for, nothing is believed.

A script that runs as Tempo's own user may put anything in its place. What is no regular file counts as not there; an
error of the machine (no descriptors, a failing disk) rises, as it says nothing about the run.
"""

import errno
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runs_app.launcher import locks

MAX_BYTES = 64 * 1024  # what the runner writes has a few hundred
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # a FIFO would be waited for
_NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.EACCES})


@contextmanager
def opened(path: Path) -> Iterator[int | None]:
    """Give a descriptor of the folder; None when it is gone, or something else stands in its place. Raises OSError."""
    try:
        descriptor = os.open(path, _FLAGS | os.O_DIRECTORY)
    except OSError as error:
        if error.errno not in _NOT_THERE - {errno.EACCES}:
            raise
        descriptor = None
    try:
        yield descriptor
    finally:
        if descriptor is not None:
            os.close(descriptor)


def is_replaced(path: Path) -> bool:
    """Whether something that is no folder stands in a folder's place."""
    try:
        return not stat.S_ISDIR(path.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def has(folder: int, name: str) -> bool:
    """Whether there is anything of this name: a claim is one whatever it is. Raises OSError."""
    return _facts(folder, name) is not None


def size(folder: int, name: str) -> int:
    """Bytes of a regular file; 0 when it is none. Raises OSError."""
    facts = _facts(folder, name)
    return facts.st_size if facts and stat.S_ISREG(facts.st_mode) else 0


def changed_at(folder: int, name: str) -> float | None:
    """When a file was last written to, in seconds since the epoch. Raises OSError."""
    facts = _facts(folder, name)
    return facts.st_mtime if facts else None


def read(folder: int, name: str, *, most: int = MAX_BYTES) -> bytes | None:
    """The content of a regular file of at most so many bytes; None when it is none. Raises OSError."""
    try:
        descriptor = os.open(name, _FLAGS, dir_fd=folder)
    except OSError as error:
        if error.errno not in _NOT_THERE:
            raise
        return None
    try:
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        content = os.read(descriptor, most + 1) if is_file else None
    finally:
        os.close(descriptor)
    return content if content is None or len(content) <= most else None


def read_object(folder: int, name: str) -> dict[str, Any] | None:
    """A file's JSON object; None when it is missing or torn, which counts as never written. Raises OSError."""
    try:
        content = json.loads(read(folder, name) or b"")
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def is_locked(folder: int) -> bool:
    """Whether a living runner holds the lock. What is no file cannot be a runner's. Raises OSError."""
    facts = _facts(folder, locks.NAME)
    return facts is not None and stat.S_ISREG(facts.st_mode) and locks.probe(folder)


def _facts(folder: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
