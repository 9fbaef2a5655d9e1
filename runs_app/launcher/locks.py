"""A run folder's `lock`: held by the living runner alone, so that any process can tell living from dead."""

# Open file description locks (fcntl(2)) belong to the open file and not to the process, end with the file even after
# kill -9, and can be probed without being acquired. A probe would not see flock() locks.

import contextlib
import errno
import fcntl
import os
import struct

from runs_app.launcher import files, folders

NAME = "lock"
# Nothing there, or something that no runner made: a link, a FIFO, a folder, a socket.
_NO_LOCK = frozenset({errno.ENOENT, errno.ELOOP, errno.ENXIO, errno.ENOTDIR})
# struct flock: l_type, l_whence, l_start, l_len, l_pid; native alignment
_FLOCK = struct.Struct("hhqqi4x")
_WRITE_LOCK = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)


def acquire(folder_fd: int) -> int | None:
    """Return the descriptor that holds the folder's lock, or None if another process has the lock. Raise OSError."""
    fd = files.open_or_create(NAME, dir_fd=folder_fd)
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _WRITE_LOCK)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


class HeldLock:
    """A lock of flock(2) that another process took and handed on, as `serve` does with the lock of the data folder."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._path = os.readlink(f"/proc/self/fd/{fd}")

    def renew(self) -> bool:
        """Hold it under its name again, where that was deleted; False if another process has it. Raise OSError."""
        return hold_again(self._fd, self._path)


def hold_again(fd: int, path: str) -> bool:
    """Hold a lock of flock(2) under its name again, where that was deleted; False if another has it. Raise OSError."""
    with contextlib.suppress(FileNotFoundError):
        if os.path.samestat(os.fstat(fd), os.stat(path)):
            return True
    new = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(new, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.dup2(new, fd, inheritable=False)
    except BlockingIOError:
        return False
    finally:
        os.close(new)
    return True


def probe(folder: int | str | os.PathLike[str]) -> bool:
    """Return whether a living runner holds the lock of `folder`, a path or an open directory. Raise OSError."""
    try:
        fd = _open(folder)
    except OSError as error:
        if error.errno in _NO_LOCK:
            return False
        raise
    try:
        # Not acquired: a runner that starts in the same instant would give up.
        answer = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, _WRITE_LOCK)
    finally:
        os.close(fd)
    lock_type = _FLOCK.unpack(answer)[0]
    return bool(lock_type != fcntl.F_UNLCK)


def _open(folder: int | str | os.PathLike[str]) -> int:
    if isinstance(folder, int):
        return files.open_existing(NAME, dir_fd=folder)
    folder_fd = folders.open_usable(os.fspath(folder))
    try:
        return files.open_existing(NAME, dir_fd=folder_fd)
    finally:
        os.close(folder_fd)
