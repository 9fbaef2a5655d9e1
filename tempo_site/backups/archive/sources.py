"""The files of a data folder that a backup holds: those of scripts and, where they are asked for, logs.

Each step down goes by the descriptor of the folder above and follows no link: scripts write into these folders.
"""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from tempo_site.backups.archive.members import MemberWriter

LOGS = ("run.json", "output.log", "output.cold")
MAX_DEPTH = 100
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def add_tree(writer: MemberWriter, folder: Path, name: str, *, max_bytes: int) -> None:
    """Add a folder with all that lies below it; what cannot be read is left out and named."""
    try:
        fd = os.open(folder, _FOLDER)
    except OSError as error:
        writer.leave_out_for(name, error)
        return
    try:
        _add_folder(writer, fd, name, max_bytes=max_bytes, depth=0)
    finally:
        os.close(fd)


def add_logs(writer: MemberWriter, runs: Path, name: str) -> int:
    """Add the logs of runs that are over and archived; return how many runs that were."""
    count = 0
    for month in _folders(runs):
        for run in _folders(runs / month):
            count += _add_run(writer, f"{runs}/{month}/{run}", f"{name}/{month}/{run}")
    return count


def _add_run(writer: MemberWriter, folder: str, name: str) -> bool:
    try:
        fd = os.open(folder, _FOLDER)
    except FileNotFoundError:  # retention deleted it meanwhile
        return False
    try:
        if not _add_file(writer, fd, LOGS[0], f"{name}/{LOGS[0]}", max_bytes=0):
            return False
        for file in LOGS[1:]:
            _add_file(writer, fd, file, f"{name}/{file}", max_bytes=0)
    finally:
        os.close(fd)
    return True


def _add_folder(writer: MemberWriter, fd: int, name: str, *, max_bytes: int, depth: int) -> None:
    writer.add_folder(name, mode=os.fstat(fd).st_mode)
    for entry in sorted(os.listdir(fd)):
        path = f"{name}/{entry}"
        try:
            mode = os.stat(entry, dir_fd=fd, follow_symlinks=False).st_mode
            if stat.S_ISLNK(mode):
                writer.add_link(path, os.readlink(entry, dir_fd=fd))
            elif stat.S_ISDIR(mode):
                _add_below(writer, fd, entry, path, max_bytes=max_bytes, depth=depth + 1)
            elif stat.S_ISREG(mode):
                _add_file(writer, fd, entry, path, max_bytes=max_bytes)
            else:
                writer.leave_out(path, "it is no file")
        except OSError as error:
            writer.leave_out_for(path, error)


def _add_below(
    writer: MemberWriter, fd: int, entry: str, path: str, *, max_bytes: int, depth: int
) -> None:
    if depth > MAX_DEPTH:
        writer.leave_out(path, f"it lies {MAX_DEPTH} folders deep")
        return
    below = os.open(entry, _FOLDER, dir_fd=fd)
    try:
        _add_folder(writer, below, path, max_bytes=max_bytes, depth=depth)
    finally:
        os.close(below)


def _add_file(writer: MemberWriter, fd: int, entry: str, path: str, *, max_bytes: int) -> bool:
    """Return whether there was such a file."""
    try:
        descriptor = os.open(entry, _FILE, dir_fd=fd)
    except OSError as error:
        writer.leave_out_for(path, error)
        return error.errno != errno.ENOENT
    try:
        writer.add_file(path, descriptor, max_bytes=max_bytes)
    finally:
        os.close(descriptor)
    return True


def _folders(folder: Path) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        names = []
    yield from sorted(names)
