"""Handing the data folder to another user: its known parts, the files of the former owner, following no link."""

import contextlib
import os
import stat
from typing import NamedTuple

from runs_app.launcher import folders
from runs_app.launcher.identity import file_access
from tempo_site.backups import replacing
from tempo_site.lib import paths

FOLDERS = ("scripts", "runs", "envs", "pythons", "cache", "backups", "search", "run")
# There at times: what is handed in, the git mirror, and what a restore works with and moves aside.
PASSING_FOLDERS = ("imports", "mirror", "restore")
FILES = (
    "secret_key",
    "secret_key.old",
    "setup_token",
    "time_zone",
    "held",
    "ballast",
    *paths.DATABASE_FILES,
)
MAX_DEPTH = 200  # scripts make folders as deep as they like; each level costs an open file here
_LISTABLE = 0o500


class Owner(NamedTuple):
    uid: int
    gid: int


class _Handover(NamedTuple):
    former: Owner
    new: Owner
    device: int  # what is mounted inside stays untouched


def hand_over(new: Owner) -> bool:
    """Give the data folder and its parts to `new`; return whether a part had another owner. Raises OSError.

    Other files in the folder keep their owner, and so do files of other users, such as files of scripts with users of
    their own; only their group follows.
    """
    with file_access.as_owner_at(paths.data()):
        fd = folders.open_path(str(paths.data()))
    try:
        return _hand_over(fd, new)
    finally:
        os.close(fd)


def _hand_over(fd: int, new: Owner) -> bool:
    status = os.fstat(fd)
    is_changed = False
    with file_access.as_owner(fd):
        aside = [name for name in os.listdir(fd) if name.startswith(replacing.ASIDE)]
        for name in (*FILES, *FOLDERS, *PASSING_FOLDERS, *aside):
            if _hand_over_part(name, fd, new, status.st_dev):
                is_changed = True
    if (status.st_uid, status.st_gid) == new:
        return is_changed
    file_access.give(fd, *new)  # last: after a crash the parts are looked at again anyway
    return True


def _hand_over_part(name: str, data_fd: int, new: Owner, device: int) -> bool:
    try:
        status = os.stat(name, dir_fd=data_fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    former = Owner(status.st_uid, status.st_gid)
    if former == new or stat.S_ISLNK(status.st_mode):
        return False
    _give(name, data_fd, _Handover(former, new, device), depth=0)
    return True


def _give(name: str, parent_fd: int, handover: _Handover, *, depth: int) -> None:
    # A folder itself comes last: where the folder is the new owner's, all its content is.
    with folders.pinned(name, dir_fd=parent_fd) as pin:
        status = os.fstat(pin)
        if status.st_dev != handover.device:
            return
        if stat.S_ISDIR(status.st_mode) and depth < MAX_DEPTH:
            _give_content(pin, handover, depth=depth + 1)
        uid = handover.new.uid if status.st_uid == handover.former.uid else -1
        gid = handover.new.gid if status.st_gid == handover.former.gid else -1
        if (uid, gid) != (-1, -1):
            file_access.give(pin, uid, gid)


def _give_content(pin: int, handover: _Handover, *, depth: int) -> None:
    fd = folders.open_pinned(pin, _LISTABLE)
    try:
        with file_access.as_owner(fd):
            for child in os.listdir(fd):  # noqa: PTH208 - a path has no descriptor
                # A script that outlived its launcher may be at work.
                with contextlib.suppress(FileNotFoundError):
                    _give(child, fd, handover, depth=depth)
    finally:
        os.close(fd)
