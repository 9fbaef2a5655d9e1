"""Giving files to the user of a script: its working folder, and what it may read of its run's folder."""

import contextlib
import errno
import os
import re
import stat
from collections.abc import Container

from runs_app.launcher import folders
from runs_app.launcher.identity import file_access
from runs_app.launcher.identity.users import User

_FILES_MODE = 0o2770
_LISTABLE = 0o500
_UPLOADED = "uploaded"  # beside `files/`: web has put something in there that is still its own
# The working folder of a script, and that of a build from source.
_FILES = re.compile(r"scripts/[A-Za-z0-9_-]+/files|envs/\.tmp-[A-Za-z0-9_]+/source")


def give_run(folder_fd: int, user: User) -> None:
    # The folder is web's to arrange: a file that another user owns, or that has a second name, stays as it is.
    ours = {os.fstat(folder_fd).st_uid, user.uid}
    for name in ("main.py", "params.json", "payload", "passwd", "group"):
        with contextlib.suppress(FileNotFoundError), folders.pinned(name, dir_fd=folder_fd) as fd:
            if _is_file(fd, ours):
                file_access.change_mode(fd, 0o640)
                file_access.give(fd, -1, user.gid)
    with contextlib.suppress(FileNotFoundError), folders.pinned("tmp", dir_fd=folder_fd) as fd:
        if _is_directory(fd, ours):
            file_access.change_mode(fd, 0o700)
            file_access.give(fd, user.uid, user.gid)


def give_files(data: str, cwd: str, user: User, web: User, *, ours: range) -> None:
    """Give a script's working folder to `user`, and open the folder to the group of `web`. Raise OSError."""
    # Only such a folder is ever given away, and of its content only the files of web or of a script's user: the order
    # comes from `web`, which must not gain a file that it does not have. Mounted folders stay.
    # The data folder itself may be named by a link; below it none is followed.
    match = _FILES.fullmatch(os.path.relpath(folders.real_path(cwd), data))
    if match is None:
        return
    above, name = os.path.split(match[0])
    parent_fd = _open_below(data, above)
    try:
        # The note goes first: what is uploaded from now on makes a new one.
        has_uploads = name == "files" and _take_note(parent_fd)
        with folders.pinned(name, dir_fd=parent_fd) as pin:
            status = os.fstat(pin)
            facts = status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)
            if has_uploads or facts != (user.uid, web.gid, _FILES_MODE):
                _give_tree(pin, user, web, {web.uid, *ours})
                # Last: it says that all of its content has been given.
                file_access.change_mode(pin, _FILES_MODE)
    except RecursionError as error:
        sentence = "folders in folders too deep to be given to its user"
        raise OSError(errno.ENAMETOOLONG, sentence) from error
    finally:
        os.close(parent_fd)


def _open_below(data: str, path: str) -> int:
    fd = folders.open_path(data)
    for name in path.split("/"):
        above = fd
        try:
            fd = folders.open_directory(name, dir_fd=above)
        finally:
            os.close(above)
    return fd


def _take_note(folder_fd: int) -> bool:
    try:
        os.unlink(_UPLOADED, dir_fd=folder_fd)
    except OSError:
        return False
    return True


def _give_tree(pin: int, user: User, web: User, ours: Container[int]) -> None:
    fd = folders.open_pinned(pin, _LISTABLE)
    try:
        with file_access.as_owner(fd):
            for name in os.listdir(fd):
                # Gone meanwhile: another run of the same script may be at work in there.
                with contextlib.suppress(FileNotFoundError):
                    _give_child(name, fd, user, web, ours)
        _give_folder(fd, user, web)
    finally:
        os.close(fd)


def _give_child(name: str, parent_fd: int, user: User, web: User, ours: Container[int]) -> None:
    with folders.pinned(name, dir_fd=parent_fd) as pin:
        if _is_directory(pin, ours) and folders.mount_of(pin) == folders.mount_of(parent_fd):
            _give_tree(pin, user, web, ours)
        elif _is_file(pin, ours):
            file_access.give(pin, user.uid, web.gid)


def _give_folder(fd: int, user: User, web: User) -> None:
    file_access.give(fd, -1, web.gid)
    if os.fstat(fd).st_uid != user.uid:  # else the mode is what the script has chosen
        file_access.change_mode(fd, _FILES_MODE)
        file_access.give(fd, user.uid, -1)


def _is_file(fd: int, owners: Container[int]) -> bool:
    # A file with another name could be a file of another user.
    status = os.fstat(fd)
    return stat.S_ISREG(status.st_mode) and status.st_uid in owners and status.st_nlink == 1


def _is_directory(fd: int, owners: Container[int]) -> bool:
    status = os.fstat(fd)
    return stat.S_ISDIR(status.st_mode) and status.st_uid in owners
