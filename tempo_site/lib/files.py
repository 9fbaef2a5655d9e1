"""Files that are whole or absent: written beside, flushed, renamed. And locks between processes."""

import errno
import fcntl
import os
import secrets
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Neither a link nor a FIFO of that name: scripts may write into some of the folders.
_WRITING = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK


def write_atomic(
    path: Path, content: str | bytes, *, mode: int = 0o600, durable: bool = True
) -> None:
    """Replace `path` by `content` in one step; `durable` also survives a power cut (two fsyncs).

    Raises OSError when the folder is missing, full or not writable; the old content is then untouched.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    data = content.encode() if isinstance(content, str) else content
    descriptor = os.open(beside, _WRITING, mode)
    try:
        try:
            if mode & 0o077:
                os.fchmod(descriptor, mode)  # the umask must not take away the rights of others
            _write_all(descriptor, data)
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)


def write_unseen(path: Path | str, content: str, *, mode: int = 0o600) -> None:
    """Write a file where nobody looks yet, as in a folder that is still being filled. Raise OSError."""
    descriptor = os.open(path, _WRITING, mode)
    try:
        _write_all(descriptor, content.encode())
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def read_regular(path: Path, *, max_bytes: int) -> bytes:
    """Return the first bytes of a regular file; raise OSError for anything else, a link or a FIFO among them."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    with os.fdopen(os.open(path, flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.ENXIO, "Not a regular file", str(path))
        return file.read(max_bytes)


def create_whole(path: Path, content: bytes, *, dir_fd: int | None = None) -> bool:
    """Create a file, with all of its content in one step; False when there is one.

    `path` is relative to the open folder `dir_fd`, if that is given. Without hard links, as on exFAT and many network
    shares, others may see the file empty for a moment.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    _create(beside, content, dir_fd)
    try:
        os.link(beside, path, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
    except FileExistsError:
        return False
    except OSError:
        return _create(path, content, dir_fd)
    finally:
        os.unlink(beside, dir_fd=dir_fd)
    return True


def _create(path: Path, content: bytes, dir_fd: int | None) -> bool:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with os.fdopen(os.open(path, flags, 0o600, dir_fd=dir_fd), "wb") as file:
            file.write(content)
    except FileExistsError:
        return False
    return True


def sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of this name against other processes: the second waits. The lock ends with the process, too."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
