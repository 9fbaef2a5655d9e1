"""The users of scripts: changing to a user, and finding the paths that are open to a user."""

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from typing import NamedTuple

from runs_app.launcher import folders
from runs_app.launcher.watch import procfs

# Give files away, end what is another user's, and be another user, also for a single file (`file_access`).
_NEEDED = {0: "CHOWN", 5: "KILL", 6: "SETGID", 7: "SETUID"}
# systemd and D-Bus obey their user, container engines any user that reaches the socket.
_PROGRAM_STARTERS = (
    "/run/systemd/private",
    "/run/user/{uid}/systemd/private",
    "/run/user/{uid}/bus",
    "/run/docker.sock",
    "/run/podman/podman.sock",
    "/run/containerd/containerd.sock",
    "/run/user/{uid}/docker.sock",
    "/run/user/{uid}/podman/podman.sock",
)
_MAX_LINKS = 40  # as the kernel has it


class User(NamedTuple):
    uid: int
    gid: int


def why_not_root() -> str:
    """Return why this process cannot start programs as other users, or ""."""
    if os.geteuid() != 0:
        return "Tempo was not started as root"
    held = procfs.permitted_capabilities()
    missing = [f"CAP_{name}" for bit, name in _NEEDED.items() if not held >> bit & 1]
    if not missing:
        return ""
    return f"Tempo was started without {', '.join(missing)}"


def why_not(user: User) -> str:
    """Return why this process cannot become `user`, tried in a child, or "". Raise OSError without a child."""
    if can(user, lambda: None):
        return ""
    return f"the system has no user {user.uid} (a user namespace without it?)"


def can(user: User, act: Callable[[], object]) -> bool:
    """Whether `act` succeeds as `user`, tried in a child. Raise OSError without a child."""

    def become_and_act() -> None:
        become(user)
        act()

    return succeeds_in_a_child(become_and_act)


def succeeds_in_a_child(act: Callable[[], object]) -> bool:
    """Whether `act` raises nothing, tried in a child. Raise OSError without a child."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            act()
            code = 0
        finally:
            os._exit(code)
    _pid, wait_status = os.waitpid(pid, 0)
    return wait_status == 0


def become(user: User) -> None:
    os.setgroups([])
    os.setresgid(user.gid, user.gid, user.gid)
    os.setresuid(user.uid, user.uid, user.uid)


def obstacle(path: str, user: User) -> str | None:
    """Return a sentence on the first folder that `user` may not pass on the way to `path`, or None."""
    for place in dict.fromkeys(_places_passed(path)):
        try:
            status = os.stat(place)
        except OSError as error:
            return f"{place}: {error.strerror}"
        if not _has_right(status, user, stat.S_IXOTH):
            mode = stat.S_IMODE(status.st_mode)
            return f"{place} is closed to other users (mode {mode:04o})"
    return None


def _places_passed(path: str) -> Iterator[str]:
    for passed in _paths_passed(path):
        names = passed.split("/")
        for end in range(2, len(names) + 1):
            yield "/".join(names[:end])


def _paths_passed(path: str) -> Iterator[str]:
    # The path itself, and that of each link on the way.
    yield os.path.abspath(path)
    for _ in range(_MAX_LINKS):
        folder = folders.real_path(os.path.dirname(path))
        path = os.path.join(folder, os.path.basename(path))
        yield path
        if not os.path.islink(path):
            return
        path = os.path.join(folder, os.readlink(path))


def socket_that_starts_programs(user: User) -> str | None:
    """Return a socket open to `user` that starts programs on demand, or None."""
    # Landlock does not cover sockets with names, so that a program started there would be outside.
    for template in _PROGRAM_STARTERS:
        path = template.format(uid=user.uid)
        with contextlib.suppress(OSError):
            status = os.stat(path)
            if stat.S_ISSOCK(status.st_mode) and _has_right(status, user, stat.S_IWOTH):
                return path
    return None


def _has_right(status: os.stat_result, user: User, right: int) -> bool:
    # `right` is given as the bit of other users.
    groups = [user.gid]
    if os.geteuid() == user.uid:
        groups += os.getgroups()
    if status.st_uid == user.uid:
        shift = 6
    elif status.st_gid in groups:
        shift = 3
    else:
        shift = 0
    return bool(status.st_mode >> shift & right)
