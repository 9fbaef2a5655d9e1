"""Users: which ones a launcher may start programs as, what they may reach, and what is to be theirs."""

import contextlib
import os
import re
import stat
from typing import NamedTuple

from runs_app.launcher import folders

# CHOWN, DAC_OVERRIDE, FOWNER, KILL, SETGID, SETUID: give files away, enter what is closed, end what is another user's.
_NEEDED = {0: "CHOWN", 1: "DAC_OVERRIDE", 3: "FOWNER", 5: "KILL", 6: "SETGID", 7: "SETUID"}
_FILES = re.compile(r"scripts/([A-Za-z0-9_-]+)/files")


class User(NamedTuple):
    """A user with its one group."""

    uid: int
    gid: int


def why_not_root() -> str:
    """Why this process cannot start programs as other users; "" when it can."""
    if os.geteuid() != 0:
        return "Tempo was not started as root"
    held = _effective_capabilities()
    missing = [f"CAP_{name}" for bit, name in _NEEDED.items() if not held >> bit & 1]
    return f"Tempo was started without {', '.join(missing)}" if missing else ""


def why_not(user: User) -> str:
    """Why this process cannot become `user`, tried in a child; "" when it can. Raises OSError without a child."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            become(user)
            code = 0
        finally:
            os._exit(code)
    _pid, wait_status = os.waitpid(pid, 0)
    return "" if wait_status == 0 else f"the system has no user {user.uid} (a user namespace without it?)"


def become(user: User) -> None:
    """Be `user`, with no other group, for ever. Raises OSError."""
    os.setgroups([])
    os.setresgid(user.gid, user.gid, user.gid)
    os.setresuid(user.uid, user.uid, user.uid)


def obstacle(path: str, user: User) -> str | None:
    """The first thing on the way to the program or folder `path` that `user` may not pass; None: the way is free."""
    for way in (os.path.abspath(path), os.path.realpath(path)):
        steps = way.split("/")
        for end in range(2, len(steps) + 1):
            step = "/".join(steps[:end])
            try:
                status = os.stat(step)
            except OSError as error:
                return f"{step}: {error.strerror}"
            if not _may_pass(status, user):
                return f"{step} is closed to other users (mode {stat.S_IMODE(status.st_mode):04o})"
    return None


def _may_pass(status: os.stat_result, user: User) -> bool:
    shift = 6 if status.st_uid == user.uid else 3 if status.st_gid == user.gid else 0
    return bool(status.st_mode >> shift & stat.S_IXOTH)


def give_run(folder_fd: int, user: User) -> None:
    """Let `user` read the code of the run folder `folder_fd`, and have its `tmp/`. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        fd = os.open("main.py", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder_fd)
        try:
            if os.fstat(fd).st_nlink == 1:  # a second name could be a file of somebody else
                os.fchown(fd, -1, user.gid)
                os.fchmod(fd, 0o640)
        finally:
            os.close(fd)
    with contextlib.suppress(FileNotFoundError):
        fd = folders.open_directory("tmp", dir_fd=folder_fd)
        try:
            os.fchown(fd, user.uid, user.gid)
            os.fchmod(fd, 0o700)
        finally:
            os.close(fd)


def give_files(data: str, cwd: str, user: User, web: User, *, ours: range) -> None:
    """Make the working folder of a script `user`'s, and open to the group of `web`. Raises OSError.

    Only `<data>/scripts/<slug>/files` is ever given away, and in it only what is of web's or of a script's user: the
    order comes from `web`, which must not gain a file by it that it does not have.
    """
    found = _FILES.fullmatch(os.path.relpath(cwd, data))
    if found is None:
        return
    fd = os.open(data, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for name in ("scripts", found[1], "files"):
        parent, fd = fd, folders.open_directory(name, dir_fd=fd)
        os.close(parent)
    try:
        status = os.fstat(fd)
        if (status.st_uid, status.st_gid, status.st_mode & 0o7777) != (user.uid, web.gid, 0o2770):
            _give_tree(fd, user, web, ours)
    finally:
        os.close(fd)


def _give_tree(fd: int, user: User, web: User, ours: range) -> None:
    for name in os.listdir(fd):
        status = os.stat(name, dir_fd=fd, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            child = folders.open_directory(name, dir_fd=fd)
            try:
                _give_tree(child, user, web, ours)
            finally:
                os.close(child)
        elif (status.st_uid == web.uid or status.st_uid in ours) and status.st_nlink == 1:
            os.chown(name, user.uid, web.gid, dir_fd=fd, follow_symlinks=False)
    # The folder last: it says that all that is in it has been given.
    os.fchown(fd, user.uid, web.gid)
    os.fchmod(fd, 0o2770)


def _effective_capabilities() -> int:
    with open("/proc/self/status", "rb") as file:
        for line in file:
            if line.startswith(b"CapEff:"):
                return int(line.split()[1], 16)
    return 0
