"""The users of scripts: changing to a user, finding the paths open to a user, and giving files to a user."""

import contextlib
import errno
import os
import re
import stat
from collections.abc import Callable, Container, Iterator
from typing import NamedTuple

from runs_app.launcher import folders
from runs_app.launcher.watch import procfs

# CHOWN, DAC_OVERRIDE, FOWNER, KILL, SETGID, SETUID: give files away, enter what is closed, end what is another user's.
_NEEDED = {0: "CHOWN", 1: "DAC_OVERRIDE", 3: "FOWNER", 5: "KILL", 6: "SETGID", 7: "SETUID"}
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
_FILES_MODE = 0o2770
_UPLOADED = "uploaded"  # beside `files/`: web has put something in there that is still its own
# The working folder of a script, and that of a build from source.
_FILES = re.compile(r"scripts/[A-Za-z0-9_-]+/files|envs/\.tmp-[A-Za-z0-9_]+/source")


class User(NamedTuple):
    uid: int
    gid: int


def why_not_root() -> str:
    """Return why this process cannot start programs as other users, or ""."""
    if os.geteuid() != 0:
        return "Tempo was not started as root"
    held = procfs.effective_capabilities()
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


def give_run(folder_fd: int, user: User) -> None:
    # The folder is web's to arrange: a file that another user owns, or that has a second name, stays as it is.
    ours = {os.fstat(folder_fd).st_uid, user.uid}
    for name in ("main.py", "params.json", "payload", "passwd", "group"):
        with contextlib.suppress(FileNotFoundError), _pinned(name, folder_fd) as fd:
            if _is_file(fd, ours):
                _give(fd, -1, user.gid, 0o640)
    with contextlib.suppress(FileNotFoundError), _pinned("tmp", folder_fd) as fd:
        if _is_directory(fd, ours):
            _give(fd, user.uid, user.gid, 0o700)


def give_files(data: str, cwd: str, user: User, web: User, *, ours: range) -> None:
    """Give a script's working folder to `user`, and open the folder to the group of `web`. Raise OSError."""
    # Only such a folder is ever given away, and of its content only the files of web or of a script's user: the order
    # comes from `web`, which must not gain a file that it does not have. Mounted folders stay.
    # The data folder itself may be named by a link; below it none is followed.
    match = _FILES.fullmatch(os.path.relpath(folders.real_path(cwd), data))
    if match is None:
        return
    fd = folders.open_path(data)
    has_uploads = False
    for name in match[0].split("/"):
        if name == "files":  # the note goes first: what is uploaded from now on makes a new one
            has_uploads = _take_note(fd)
        parent, fd = fd, folders.open_directory(name, dir_fd=fd)
        os.close(parent)
    try:
        status = os.fstat(fd)
        mode = stat.S_IMODE(status.st_mode)
        if has_uploads or (status.st_uid, status.st_gid, mode) != (user.uid, web.gid, _FILES_MODE):
            _give_tree(fd, user, web, {web.uid, *ours})
            # Last: it says that all of its content has been given.
            os.fchmod(fd, _FILES_MODE)
    except RecursionError as error:
        sentence = "folders in folders too deep to be given to its user"
        raise OSError(errno.ENAMETOOLONG, sentence) from error
    finally:
        os.close(fd)


def _take_note(folder_fd: int) -> bool:
    try:
        os.unlink(_UPLOADED, dir_fd=folder_fd)
    except OSError:
        return False
    return True


def _give_tree(fd: int, user: User, web: User, ours: Container[int]) -> None:
    mount = folders.mount_of(fd)
    for name in os.listdir(fd):
        # Gone meanwhile: another run of the same script may be at work in there.
        with contextlib.suppress(FileNotFoundError), _pinned(name, fd) as child:
            if _is_directory(child, ours) and folders.mount_of(child) == mount:
                with _pinned_for_listing(child) as directory:
                    _give_tree(directory, user, web, ours)
            elif _is_file(child, ours):
                _give(child, user.uid, web.gid)
    is_its_own = os.fstat(fd).st_uid == user.uid
    os.fchown(fd, user.uid, web.gid)
    if not is_its_own:  # else the mode is what the script has chosen
        os.fchmod(fd, _FILES_MODE)


@contextlib.contextmanager
def _pinned(name: str, dir_fd: int) -> Iterator[int]:
    # The descriptor stands for `name` itself, link or not: no later change can exchange the file.
    fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=dir_fd)
    try:
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def _pinned_for_listing(path_fd: int) -> Iterator[int]:
    fd = folders.open_directory(".", dir_fd=path_fd)
    try:
        yield fd
    finally:
        os.close(fd)


def _is_file(fd: int, owners: Container[int]) -> bool:
    # A file with another name could be a file of another user.
    status = os.fstat(fd)
    return stat.S_ISREG(status.st_mode) and status.st_uid in owners and status.st_nlink == 1


def _is_directory(fd: int, owners: Container[int]) -> bool:
    status = os.fstat(fd)
    return stat.S_ISDIR(status.st_mode) and status.st_uid in owners


def _give(path_fd: int, uid: int, gid: int, mode: int | None = None) -> None:
    # A descriptor that only stands for a file is changed by its name in /proc, which leads to no other.
    path = f"/proc/self/fd/{path_fd}"
    os.chown(path, uid, gid)
    if mode is not None:
        os.chmod(path, mode)
