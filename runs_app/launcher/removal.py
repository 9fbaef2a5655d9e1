"""Deleting folders of runs, scripts and builds: in a child process, following no link, entering nothing mounted."""

import contextlib
import errno
import os
import re
from collections.abc import Callable
from typing import NamedTuple

from runs_app.launcher import files, folders, forking, locks
from runs_app.launcher.identity import file_access

# Beside the folder of a run ("all") and its `tmp/`: folders below the data folder, with the names they may have.
_PLACES = {
    "script": ("scripts", re.compile(r"[a-z0-9_-]{1,80}")),
    "build": ("envs", re.compile(r"\.tmp-[A-Za-z0-9_]{1,80}")),
}
SCOPES = ("all", "tmp", *_PLACES)


class Removal(NamedTuple):
    """A removal under way; `answer` gets None, or the sentence that says why the removal failed."""

    folder: str
    answer: Callable[[str | None], None]


class Removals:
    def __init__(self, runs_fd: int, *, data: str) -> None:
        self._runs_fd = runs_fd
        self._data = data
        self._under_way: dict[int, Removal] = {}

    def start(self, folder: object, scope: object, answer: Callable[[str | None], None]) -> None:
        """Fork a child that removes what `scope` says of `folder`. Raise FolderError, OSError."""
        if scope not in SCOPES:
            raise folders.FolderError(f"what has to be one of {', '.join(SCOPES)}")
        parent_fd, name = self._open_parent(folder, str(scope))
        try:
            if scope == "all":
                _refuse_if_held(parent_fd, name)
            act = _remove_tmp if scope == "tmp" else _remove_all
            pid = forking.fork(lambda: _run_in_child(act, parent_fd, name))
        finally:
            os.close(parent_fd)
        self._under_way[pid] = Removal(str(folder), answer)

    def _open_parent(self, folder: object, scope: str) -> tuple[int, str]:
        if scope not in _PLACES:
            return folders.open_month(self._runs_fd, folders.check_name(folder))
        parent, names = _PLACES[scope]
        if not isinstance(folder, str) or not names.fullmatch(folder):
            raise folders.FolderError(f"not the name of a {scope}: {str(folder)[:100]!a}")
        data_fd = folders.open_path(self._data)
        try:
            return folders.open_directory(parent, dir_fd=data_fd), folder
        finally:
            os.close(data_fd)

    def is_under_way(self, folder: object) -> bool:
        return any(removal.folder == folder for removal in self._under_way.values())

    def pids(self) -> set[int]:
        return set(self._under_way)

    def child_exited(self, pid: int, wait_status: int) -> bool:
        removal = self._under_way.pop(pid, None)
        if removal is None:
            return False
        code = os.waitstatus_to_exitcode(wait_status)
        if code == 0:
            removal.answer(None)
        else:
            removal.answer(f"{removal.folder} was not removed: {_reason(code)}")
        return True


def remove_tree(name: str, *, dir_fd: int) -> None:
    """Remove a folder with all that is in it, if it is there. Raise OSError."""
    with file_access.as_owner(dir_fd):
        with contextlib.suppress(OSError):  # most are empty, and then that is all
            os.rmdir(name, dir_fd=dir_fd)
            return
        with contextlib.suppress(FileNotFoundError):
            fd = _open_writable(name, dir_fd)
            try:
                _empty(fd)
            finally:
                os.close(fd)
            os.rmdir(name, dir_fd=dir_fd)


def _refuse_if_held(month_fd: int, name: str) -> None:
    try:
        fd = folders.open_usable(name, dir_fd=month_fd)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        if locks.probe(fd):
            raise folders.FolderError(f"{name} is still running")
    finally:
        os.close(fd)


def _remove_all(month_fd: int, name: str) -> None:
    remove_tree(name, dir_fd=month_fd)


def _remove_tmp(month_fd: int, name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        remove_tree("tmp", dir_fd=folders.open_usable(name, dir_fd=month_fd))


def _run_in_child(act: Callable[[int, str], None], month_fd: int, name: str) -> int:
    # Ends with 0, or with the error's number, which fits an exit code.
    forking.reset_handlers()
    forking.close_all_except({0, 1, 2, month_fd})
    forking.unblock_signals()
    try:
        act(month_fd, name)
    except OSError as error:
        return error.errno or errno.EIO
    return 0


def _reason(code: int) -> str:
    if code > 0:
        return os.strerror(code)
    return f"killed by signal {-code}"


class _Level:
    """A folder that is being emptied, on the way from the top to the present one."""

    def __init__(self, fd: int) -> None:
        status = os.fstat(fd)
        self.identity = (status.st_dev, status.st_ino)
        self.subfolders: list[str] = []  # still to be removed, from the last one on


def _empty(fd: int) -> None:
    # Down and up with the one descriptor, which stands for another folder each time: no depth costs one, or a frame.
    way = [_Level(fd)]
    while way:
        subfolders = way[-1].subfolders or _unlink_files(fd)
        way[-1].subfolders = subfolders
        if subfolders:
            try:
                _exchange(fd, _open_writable(subfolders[-1], fd))
            except FileNotFoundError:
                subfolders.pop()
            else:
                way.append(_Level(fd))
            continue
        way.pop()
        if way:
            _exchange(fd, _open_above(fd, way[-1]))
            with file_access.as_owner(fd):
                os.rmdir(way[-1].subfolders.pop(), dir_fd=fd)


def _exchange(fd: int, other_fd: int) -> None:
    os.dup2(other_fd, fd, inheritable=False)
    os.close(other_fd)


def _unlink_files(fd: int) -> list[str]:
    # Returns the subfolders.
    with file_access.as_owner(fd):
        with os.scandir(fd) as found:
            entries = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in found]
        for name, is_directory in entries:
            if not is_directory:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=fd)
    return [name for name, is_directory in entries if is_directory]


def _open_writable(name: str, dir_fd: int) -> int:
    with file_access.as_owner(dir_fd), folders.pinned(name, dir_fd=dir_fd) as pin:
        # A mounted folder is a share of the admin's, whose files are not ours to delete.
        if folders.mount_of(pin) != folders.mount_of(dir_fd):
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        # Its owner may have taken these rights from himself.
        return folders.open_pinned(pin, files.FOLDER_RIGHTS)


def _open_above(fd: int, level: _Level) -> int:
    with file_access.as_owner(fd), folders.pinned("..", dir_fd=fd) as pin:
        status = os.fstat(pin)
        if (status.st_dev, status.st_ino) != level.identity:  # moved elsewhere meanwhile
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return folders.open_pinned(pin, files.FOLDER_RIGHTS)
