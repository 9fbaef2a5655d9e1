"""Run folders by name: `<yyyy-mm>/<id>-<random>` below `runs/`, opened step by step so that no link leads elsewhere."""

import contextlib
import errno
import os
import re
from collections.abc import Iterator

from runs_app.launcher import files
from runs_app.launcher.identity import file_access

ARCHIVE = (
    "run.json"  # what is left of a final run's folder beside its log; written before the claim goes
)
_NAME = re.compile(r"[0-9]{4}-[0-9]{2}/[0-9]+-[a-z0-9]{6,16}")
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

_NO_FOLDER = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


class FolderError(Exception):
    """A run folder that cannot be used; the message is the sentence for the caller."""


def is_name(folder: str) -> bool:
    return _NAME.fullmatch(folder) is not None


def check_name(folder: object) -> str:
    """Return `folder` if it is the name of a run folder. Raise FolderError."""
    if not isinstance(folder, str) or not is_name(folder):
        raise FolderError(f"not the name of a run folder: {str(folder)[:100]!a}")
    return folder


def open_path(path: str) -> int:
    """Return a descriptor of a directory outside of run folders, where links are fine. Raise OSError."""
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def real_path(path: str) -> str:
    """Return the path without links, as os.path.realpath() does; the kernel takes a third of the time."""
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # not there, or not for us
        return os.path.realpath(path)
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    finally:
        os.close(fd)


def renew(fd: int, path: str) -> bool:
    """Have `fd` stand for the directory that is at `path` now; return if that is another. Raise OSError without one."""
    if os.path.samestat(os.fstat(fd), os.stat(path)):
        return False
    parent, name = os.path.split(path)
    parent_fd = open_path(parent)
    try:
        new = open_directory(name, dir_fd=parent_fd)  # web made it, who makes no links
    finally:
        os.close(parent_fd)
    os.dup2(new, fd, inheritable=False)
    os.close(new)
    return True


def open_directory(name: str, *, dir_fd: int | None = None) -> int:
    return os.open(name, _DIRECTORY, dir_fd=dir_fd)


def open_usable(name: str, *, dir_fd: int | None = None) -> int:
    """Return a descriptor of a directory of ours, from which a script may have taken all rights. Raise OSError."""
    try:
        fd = open_directory(name, dir_fd=dir_fd)
    except PermissionError:
        _take_back(name, dir_fd)
        fd = open_directory(name, dir_fd=dir_fd)
    files.make_usable(fd)
    return fd


@contextlib.contextmanager
def pinned(name: str, *, dir_fd: int) -> Iterator[int]:
    """Yield a descriptor that stands for `name` itself, link or not: no later change can exchange the file."""
    fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=dir_fd)
    try:
        yield fd
    finally:
        os.close(fd)


def open_pinned(path_fd: int, rights: int) -> int:
    """Return a descriptor of a pinned directory for listing, opened as its owner with at least these rights of it."""
    with file_access.as_owner(path_fd):
        files.make_usable(path_fd, rights)
        return open_directory(".", dir_fd=path_fd)


def mount_of(fd: int) -> bytes:
    """Return the mount of an open file: a share mounted below is neither ours to give nor to delete."""
    # Before Linux 5.14 this is closed to all but the process's own user.
    with file_access.as_user(0, 0), open(f"/proc/self/fdinfo/{fd}", "rb") as file:
        for line in file:
            if line.startswith(b"mnt_id:"):
                return line
    return b""


def open_month(runs_fd: int, folder: str) -> tuple[int, str]:
    """Return a descriptor of the month's directory, and the folder's name in there. Raise FolderError."""
    month, name = check_name(folder).split("/")
    try:
        return open_usable(month, dir_fd=runs_fd), name
    except OSError as error:
        raise _error(folder, error) from error


def open_run(runs_fd: int, folder: object) -> int:
    """Return a descriptor of the run folder `folder` below `runs_fd`. Raise FolderError."""
    month_fd, name = open_month(runs_fd, check_name(folder))
    try:
        return open_usable(name, dir_fd=month_fd)
    except OSError as error:
        raise _error(str(folder), error) from error
    finally:
        os.close(month_fd)


def _take_back(name: str, dir_fd: int | None) -> None:
    flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(name, flags, dir_fd=dir_fd)
    try:
        files.make_usable(fd)
    finally:
        os.close(fd)


def is_missing(error: FolderError) -> bool:
    """Whether there is no such folder, or something else in its place: then no runner can be at work in it."""
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in _NO_FOLDER


def _error(folder: str, error: OSError) -> FolderError:
    # With O_NOFOLLOW and O_DIRECTORY a link is "not a directory" or "too many links", depending on the kernel.
    if error.errno in _NO_FOLDER - {errno.ENOENT}:
        return FolderError(f"run folder {folder} is not a real directory")
    return FolderError(f"run folder {folder} cannot be opened: {error.strerror}")
