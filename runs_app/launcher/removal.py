"""Deleting what a run has left, by directory descriptors and in a child of its own: follows no link, blocks nobody."""

import contextlib
import errno
import itertools
import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

from runs_app.launcher import folders, forking, locks

WHAT = ("all", "tmp")


class Removal(NamedTuple):
    """One that is under way; `answer` is told None, or the sentence that says why it failed."""

    folder: str
    answer: Callable[[str | None], None]


class Removals:
    """Those under way, by the pid of the child that does it."""

    def __init__(self, runs_fd: int) -> None:
        self._runs_fd = runs_fd
        self._under_way: dict[int, Removal] = {}

    def start(self, folder: object, what: object, answer: Callable[[str | None], None]) -> None:
        """Fork a child that removes the whole `folder` ("all") or its `tmp/`. Raises FolderError, OSError."""
        if what not in WHAT:
            raise folders.FolderError('what has to be "all" or "tmp"')
        month_fd, name = folders.open_month(self._runs_fd, folders.checked(folder))
        try:
            _refuse_if_held(month_fd, name, what)
            act = _remove_all if what == "all" else _remove_tmp
            pid = forking.fork(lambda: _reported(act, month_fd, name))
        finally:
            os.close(month_fd)
        self._under_way[pid] = Removal(str(folder), answer)

    def is_under_way(self, folder: object) -> bool:
        """Whether `folder` is being removed now."""
        return any(removal.folder == folder for removal in self._under_way.values())

    def pids(self) -> set[int]:
        """The removers among our children."""
        return set(self._under_way)

    def has_exited(self, pid: int, wait_status: int) -> bool:
        """A child was reaped: answer if it was one of ours; whether it was."""
        removal = self._under_way.pop(pid, None)
        if removal is not None:
            code = os.waitstatus_to_exitcode(wait_status)
            removal.answer(None if code == 0 else f"{removal.folder} was not removed: {_reason(code)}")
        return removal is not None


def remove_tree(name: str, *, dir_fd: int) -> None:
    """Delete the directory `name` in `dir_fd` with all in it; one that is not there is fine. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        fd = _open_writable(name, dir_fd)
        try:
            _empty(fd)
        finally:
            os.close(fd)
        os.rmdir(name, dir_fd=dir_fd)


def _refuse_if_held(month_fd: int, name: str, what: object) -> None:
    with contextlib.suppress(FileNotFoundError):
        fd = folders.open_directory(name, dir_fd=month_fd)
        try:
            if what == "all" and locks.probe(fd):
                raise folders.FolderError(f"{name} is still running")
        finally:
            os.close(fd)


def _remove_all(month_fd: int, name: str) -> None:
    remove_tree(name, dir_fd=month_fd)


def _remove_tmp(month_fd: int, name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        remove_tree("tmp", dir_fd=folders.open_directory(name, dir_fd=month_fd))


def _reported(act: Callable[[int, str], None], month_fd: int, name: str) -> int:
    """In the child: 0, or the error's number, which fits an exit code."""
    forking.forget_handlers()
    forking.keep_only({0, 1, 2, month_fd})
    forking.let_signals_in()
    try:
        act(month_fd, name)
    except OSError as error:
        return error.errno or errno.EIO
    return 0


def _reason(code: int) -> str:
    return os.strerror(code) if code > 0 else f"killed by signal {-code}"


def _empty(top_fd: int) -> None:
    # Unique beside whatever the script has made.
    fresh_names = map(f".removing-{os.urandom(8).hex()}-{{}}".format, itertools.count())
    while entries := _entries(top_fd):
        for name, is_directory in entries:
            if is_directory:
                _dissolve(name, top_fd, fresh_names)
            else:
                os.unlink(name, dir_fd=top_fd)


def _dissolve(name: str, top_fd: int, fresh_names: Iterator[str]) -> None:
    """Delete a directory and its files; its own directories move up into `top_fd`, where their turn comes.

    So no depth costs a descriptor or a stack frame.
    """
    fd = _open_writable(name, top_fd)
    try:
        for child, is_directory in _entries(fd):
            if is_directory:
                _move_up(child, fd, top_fd, next(fresh_names))
            else:
                os.unlink(child, dir_fd=fd)
    finally:
        os.close(fd)
    os.rmdir(name, dir_fd=top_fd)


def _move_up(name: str, dir_fd: int, top_fd: int, fresh_name: str) -> None:
    # Moving a directory rewrites its "..", and so needs the right to write in it.
    os.close(_open_writable(name, dir_fd))
    os.rename(name, fresh_name, src_dir_fd=dir_fd, dst_dir_fd=top_fd)


def _entries(fd: int) -> list[tuple[str, bool]]:
    with os.scandir(fd) as found:
        return [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in found]


def _open_writable(name: str, dir_fd: int) -> int:
    """Open a directory for reading and emptying, also one whose owner has taken those rights from himself."""
    path_fd = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=dir_fd)
    try:
        with contextlib.suppress(PermissionError):
            os.chmod(f"/proc/self/fd/{path_fd}", 0o700)
        return folders.open_directory(".", dir_fd=path_fd)
    finally:
        os.close(path_fd)
