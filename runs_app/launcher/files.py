"""Small files that appear whole or not at all, written beside and renamed, by directory descriptor."""

import contextlib
import errno
import os

FILE_MODE = 0o600
# Without waiting: a FIFO of that name would be waited for without end.
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_RESERVED_BYTES = 4096


def create(name: str, *, dir_fd: int) -> int:
    """A descriptor of the new file `name`. Raises OSError, also when there is a file or a link of that name."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    return os.open(name, flags, FILE_MODE, dir_fd=dir_fd)


def write(name: str, content: bytes, *, dir_fd: int) -> None:
    """Put `content` into the file `name`. Raises OSError; the old file then still stands."""
    _fill(name, content, dir_fd=dir_fd)
    os.rename(_beside(name), name, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)


def secure(name: str, *, dir_fd: int) -> None:
    """Once it returns, the file `name` outlives a power cut. Raises OSError."""
    fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=dir_fd)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    os.fsync(dir_fd)


def reserve(name: str, *, dir_fd: int) -> None:
    """Set room aside, so that `name` (up to 4 KiB) can be written on a disk that has become full meanwhile."""
    fd = os.open(_beside(name), _FLAGS, FILE_MODE, dir_fd=dir_fd)
    # A file system that cannot reserve (NFS, some FUSE) leaves things as they were.
    with contextlib.suppress(OSError):
        os.posix_fallocate(fd, 0, _RESERVED_BYTES)
    os.close(fd)


def _fill(name: str, content: bytes, *, dir_fd: int) -> None:
    fd = os.open(_beside(name), _FLAGS, FILE_MODE, dir_fd=dir_fd)
    try:
        written = os.write(fd, content)
        if written < len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.ftruncate(fd, written)  # not before the write: that would give reserved room away
    finally:
        os.close(fd)


def _beside(name: str) -> str:
    return f"{name}.tmp"
