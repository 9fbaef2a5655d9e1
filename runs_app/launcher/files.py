"""Small files that appear whole or not at all, written beside and renamed, by directory descriptor."""

import contextlib
import errno
import os

FILE_MODE = 0o600
# Without waiting: a FIFO of that name would be waited for without end.
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_RESERVED_BYTES = 4096


def create(name: str, *, dir_fd: int) -> int:
    """Return a descriptor of the new file `name`. Raise OSError if the name is taken, also by a link."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    return os.open(name, flags, FILE_MODE, dir_fd=dir_fd)


def open_existing(name: str, *, dir_fd: int | None = None) -> int:
    """Return a descriptor for reading, following no link and never waiting for a FIFO. Raise OSError."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    return os.open(name, flags, dir_fd=dir_fd)


def write(name: str, content: bytes, *, dir_fd: int) -> None:
    """Replace the content of the file `name`. Raise OSError, and then leave the old file as it was."""
    _write_temporary(name, content, dir_fd=dir_fd)
    os.rename(_temporary(name), name, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)


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
    fd = os.open(_temporary(name), _FLAGS, FILE_MODE, dir_fd=dir_fd)
    # A file system that cannot reserve (NFS, some FUSE) leaves things as they were.
    with contextlib.suppress(OSError):
        os.posix_fallocate(fd, 0, _RESERVED_BYTES)
    os.close(fd)


def _write_temporary(name: str, content: bytes, *, dir_fd: int) -> None:
    fd = os.open(_temporary(name), _FLAGS, FILE_MODE, dir_fd=dir_fd)
    try:
        written = os.write(fd, content)
        if written < len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        # After the write: before it, the reserved room would be given away.
        os.ftruncate(fd, written)
    finally:
        os.close(fd)


def _temporary(name: str) -> str:
    return f"{name}.tmp"
