"""A run's folder as web reads it: no link is followed, no FIFO waited for, no content believed.

A script that runs as Tempo's own user may replace any file. Whatever is no regular file counts as missing; an error of
the machine (no descriptors, a failing disk) rises as OSError, as such an error says nothing about the run.
"""

import errno
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runs_app.launcher import files, folders, locks

# As the runner names them; its own modules are not for the web process.
SPEC, CLAIM, STATE, EXIT = "spec.json", "claim", "state.json", "exit.json"
TEMPORARY = "tmp"
MAX_BYTES = 64 * 1024  # what the runner writes has a few hundred
_MISSING = frozenset(
    {
        errno.ENOENT,
        errno.ENOTDIR,
        errno.ELOOP,
        errno.ENXIO,
        errno.EACCES,
    }
)


@contextmanager
def opened(path: Path) -> Iterator[int | None]:
    """Give a descriptor of the folder; None when the folder is gone, or replaced by something else."""
    try:
        descriptor = _open(path)
    except OSError as error:
        if error.errno not in _MISSING - {errno.EACCES}:
            raise
        descriptor = None
    try:
        yield descriptor
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _open(path: Path) -> int:
    # The month first: a script may have closed that as well.
    month = folders.open_usable(str(path.parent))
    try:
        return folders.open_usable(path.name, dir_fd=month)
    finally:
        os.close(month)


def open_file(path: Path, name: str) -> int | None:
    """Return a descriptor of a regular file in the folder `path`, for reading; None when there is none to be read."""
    with opened(path) as folder:
        if folder is None:
            return None
        try:
            return files.open_existing(name, dir_fd=folder)
        except OSError as error:
            if error.errno in _MISSING:
                return None
            raise


def is_replaced(path: Path) -> bool:
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    return not stat.S_ISDIR(mode)


def has(folder: int, name: str) -> bool:
    """Whether the folder has an entry of this name, of any type: a claim is a claim whatever stands there."""
    return _status(folder, name) is not None


def is_directory(folder: int, name: str) -> bool:
    status = _status(folder, name)
    return status is not None and stat.S_ISDIR(status.st_mode)


def is_own_file(folder: int, name: str) -> bool:
    """Whether the entry is a regular file that has no other name."""
    status = _status(folder, name)
    return status is not None and stat.S_ISREG(status.st_mode) and status.st_nlink == 1


def files_in(folder: int) -> set[str]:
    """Return the names of all entries but directories."""
    with os.scandir(folder) as entries:
        return {entry.name for entry in entries if not entry.is_dir(follow_symlinks=False)}


def size(folder: int, name: str) -> int:
    """Return the bytes of a regular file; 0 for any other entry."""
    status = _status(folder, name)
    if status is None or not stat.S_ISREG(status.st_mode):
        return 0
    return status.st_size


def changed_at(folder: int, name: str) -> float | None:
    """Return the time of the last write, in seconds since the epoch."""
    status = _status(folder, name)
    if status is None:
        return None
    return status.st_mtime


def read(
    folder: int,
    name: str,
    *,
    max_bytes: int = MAX_BYTES,
) -> bytes | None:
    """Return the content of a regular file; None for any other entry, and for a file with more bytes."""
    try:
        content = files.read(name, dir_fd=folder, max_bytes=max_bytes + 1)
    except OSError as error:
        if error.errno in _MISSING:
            return None
        raise
    if len(content) > max_bytes:
        return None
    return content


def read_object(folder: int, name: str) -> dict[str, Any] | None:
    """Return a file's JSON object; None when the file is missing or torn, which counts as never written."""
    try:
        content = json.loads(read(folder, name) or b"")
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict):
        return None
    return content


def is_locked(folder: int) -> bool:
    status = _status(folder, locks.NAME)
    if status is None or not stat.S_ISREG(status.st_mode):
        return False  # no runner made it
    return locks.probe(folder)


def _status(folder: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
