"""As whom a file is touched: as its owner. Root's own name is for one thing alone: giving files away."""

# So a launcher that is root needs no right over the files of others (DAC_OVERRIDE, FOWNER). It opens, lists, changes
# and removes them as their owner, and no link leads it further than that owner may go. Without root, nothing changes.

import contextlib
import os
import stat
from collections.abc import Iterator

from runs_app.launcher.identity import prctl
from runs_app.launcher.watch import procfs

_DAC_OVERRIDE = 1 << 1
_SET_ID = stat.S_ISUID | stat.S_ISGID


@contextlib.contextmanager
def as_user(uid: int, gid: int) -> Iterator[None]:
    before = prctl.use_files_as(uid, gid)
    try:
        yield
    finally:
        prctl.use_files_as(*before)


@contextlib.contextmanager
def as_owner(file: int | str | os.PathLike[str]) -> Iterator[None]:
    """Act as the owner of an open file (O_PATH will do), or of what is at a path. Raise OSError without one."""
    status = os.stat(file)
    with as_user(status.st_uid, status.st_gid):
        yield


@contextlib.contextmanager
def as_owner_at(path: str | os.PathLike[str]) -> Iterator[None]:
    """Act as the owner of what is at a path, or of the folder in which it will be made."""
    # Root that may enter every folder stays root: the owner may have no way to it.
    if os.geteuid() != 0 or procfs.permitted_capabilities() & _DAC_OVERRIDE:
        yield
        return
    with as_owner(_nearest(path)):
        yield


def give(fd: int, uid: int, gid: int) -> None:
    """Give the file that a descriptor stands for to a user and a group; -1 keeps what is. Raise OSError."""
    # A program that runs as its owner is one no more, and only the owner, or root with FOWNER, may have that so.
    mode = os.fstat(fd).st_mode
    if stat.S_ISREG(mode) and mode & _SET_ID:
        change_mode(fd, stat.S_IMODE(mode) & ~_SET_ID)
    # By its name in /proc, which leads to no other file and needs no way through folders.
    with as_user(0, 0):
        os.chown(f"/proc/self/fd/{fd}", uid, gid)


def change_mode(fd: int, mode: int) -> None:
    """Change the mode of the file that a descriptor stands for. Raise OSError."""
    # Before it is given away with a group that is not its owner's: who is not in the group loses the setgid bit.
    with as_owner(fd):
        os.chmod(f"/proc/self/fd/{fd}", mode)


def _nearest(path: str | os.PathLike[str]) -> str:
    place = os.path.join(os.getcwd(), path)
    while not os.path.exists(place):
        place = os.path.dirname(place)
    return place
