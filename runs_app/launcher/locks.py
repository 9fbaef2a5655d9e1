"""A run folder's `lock`: held by the living runner and nobody else, so that anyone can tell living from dead.

Open file description locks (fcntl(2)): they belong to the open file and not to the process, end with it even after
kill -9, and can be probed without being taken. flock() locks would not be seen by the probe.
"""

import fcntl
import os
import struct

NAME = "lock"
_FLOCK = struct.Struct(
    "hhqqi4x"
)  # struct flock: l_type, l_whence, l_start, l_len, l_pid; native alignment


def acquire(folder_fd: int) -> int | None:
    """Take the lock of the folder open as `folder_fd`; the descriptor that holds it, or None when someone else does.

    Raises OSError if the file cannot be made.
    """
    fd = os.open(
        NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600, dir_fd=folder_fd
    )
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


def probe(folder: int | str | os.PathLike[str]) -> bool:
    """Whether a living runner holds the lock of `folder`, a path or an open directory; what is missing is free.

    Never takes the lock: a probe that did would make a runner that starts in the same instant give up.
    """
    try:
        fd = _open(folder)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        answer = fcntl.fcntl(
            fd, fcntl.F_OFD_GETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        )
    finally:
        os.close(fd)
    return bool(_FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)


def _open(folder: int | str | os.PathLike[str]) -> int:
    # Web could have put a FIFO there, which must not stop the launcher.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    if isinstance(folder, int):
        return os.open(NAME, flags, dir_fd=folder)
    return os.open(os.path.join(folder, NAME), flags)
