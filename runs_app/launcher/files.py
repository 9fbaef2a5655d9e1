"""The files of a run, by directory descriptor: here alone they are opened, and small ones appear whole or not at all.

A script that runs as Tempo's own user may put a link, a FIFO or a folder in the place of any file, and may take all
rights from files and folders. So no link is followed, nothing is waited for, only regular files are opened, and rights
that we have as owners are taken back.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Callable
from typing import TypeVar

FILE_MODE = 0o600
FILE_RIGHTS, FOLDER_RIGHTS = 0o600, 0o700  # of the owner
_SAFE = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_RESERVED_BYTES = 4096
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_READ_BYTES = 64 * 1024
_Result = TypeVar("_Result")


def create(name: str, *, dir_fd: int) -> int:
    """Return a descriptor of the new file `name`. Raise OSError if the name is taken, also by a link."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | _SAFE
    return _in_own_folder(lambda: os.open(name, flags, FILE_MODE, dir_fd=dir_fd), dir_fd)


def open_existing(name: str, *, dir_fd: int, flags: int = os.O_RDONLY) -> int:
    """Return a descriptor of the regular file `name`, by default for reading. Raise OSError for anything else."""
    try:
        return _open_regular(name, flags, dir_fd)
    except PermissionError:
        _take_back(name, dir_fd)
        return _open_regular(name, flags, dir_fd)


def open_or_create(name: str, *, dir_fd: int) -> int:
    """Return a descriptor of the regular file `name` for reading and writing. Raise OSError for anything else."""
    flags = os.O_RDWR | os.O_CREAT
    try:
        return _open_regular(name, flags, dir_fd)
    except PermissionError:
        make_usable(dir_fd)
        with contextlib.suppress(FileNotFoundError):
            _take_back(name, dir_fd)
        return _open_regular(name, flags, dir_fd)


def read(name: str, *, dir_fd: int, max_bytes: int) -> bytes:
    """Return the first `max_bytes` of the regular file `name`. Raise OSError."""
    fd = open_existing(name, dir_fd=dir_fd)
    try:
        return read_open(fd, max_bytes=max_bytes)
    finally:
        os.close(fd)


def read_open(fd: int, *, max_bytes: int) -> bytes:
    """Return what follows in an open file, at most `max_bytes`. Raise OSError."""
    parts = []
    while max_bytes and (part := os.read(fd, min(_READ_BYTES, max_bytes))):
        parts.append(part)
        max_bytes -= len(part)
    return b"".join(parts)


def write(name: str, content: bytes, *, dir_fd: int) -> None:
    """Replace the content of the file `name`. Raise OSError, and then leave the old file as it was."""
    _in_own_folder(lambda: _write_and_rename(name, content, dir_fd), dir_fd)


def write_new(name: str, content: bytes, *, dir_fd: int) -> None:
    """Create the file `name`, which may be seen half written. Raise OSError if the name is taken, or the disk full."""
    fd = create(name, dir_fd=dir_fd)
    try:
        _write_all(fd, content)
    finally:
        os.close(fd)


def secure(name: str, *, dir_fd: int) -> None:
    """Make the file `name` outlive a power cut. Raise OSError."""
    fd = open_existing(name, dir_fd=dir_fd)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    os.fsync(dir_fd)


def reserve(name: str, *, dir_fd: int) -> None:
    """Reserve 4 KiB, so that `name` can be written on a disk that has become full meanwhile. Raise OSError."""
    fd = open_or_create(temporary(name), dir_fd=dir_fd)
    try:
        os.posix_fallocate(fd, 0, _RESERVED_BYTES)
    except OSError as error:
        # A file system that cannot reserve (NFS, some FUSE) leaves things as they were.
        if error.errno in _FULL:
            raise
    finally:
        os.close(fd)


def make_usable(fd: int, rights: int = FOLDER_RIGHTS) -> None:
    """Give its owner these rights to an open file or folder, if the owner has not; without a word where that fails."""
    mode = stat.S_IMODE(os.fstat(fd).st_mode)
    if mode & rights != rights:
        # By its descriptor, whatever bears the name by now; O_PATH descriptors are changed in this way alone.
        with contextlib.suppress(OSError):
            os.chmod(f"/proc/self/fd/{fd}", mode | rights)


def temporary(name: str) -> str:
    """Return the name under which a file is written before it is renamed to `name`."""
    return f"{name}.tmp"


def _open_regular(name: str, flags: int, dir_fd: int) -> int:
    fd = os.open(name, flags | _SAFE, FILE_MODE, dir_fd=dir_fd)
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    raise OSError(errno.ENXIO, "Not a regular file", name)


def _take_back(name: str, dir_fd: int) -> None:
    make_usable(dir_fd)
    fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=dir_fd)
    try:
        if stat.S_ISREG(os.fstat(fd).st_mode):
            make_usable(fd, FILE_RIGHTS)
    finally:
        os.close(fd)


def _in_own_folder(act: Callable[[], _Result], dir_fd: int) -> _Result:
    try:
        return act()
    except PermissionError:
        make_usable(dir_fd)
        return act()


def _write_and_rename(name: str, content: bytes, dir_fd: int) -> None:
    fd = open_or_create(temporary(name), dir_fd=dir_fd)
    try:
        _write_all(fd, content)
        # After the write: before it, the reserved room would be given away.
        os.ftruncate(fd, len(content))
    finally:
        os.close(fd)
    os.rename(temporary(name), name, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)


def _write_all(fd: int, content: bytes) -> None:
    if os.write(fd, content) < len(content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
