"""What the file system of the data folder keeps: tried with a file, as some take modes and owners and forget them."""

import contextlib
import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from runs_app.launcher import folders
from runs_app.launcher.identity import file_access, users
from runs_app.launcher.identity.users import User

_CLOSED, _GIVEN = "closed", "given"
_MAKE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
_WITH_PROGRAMS = ("", "envs", "pythons")


class FileSystem(NamedTuple):
    """What was seen. A reason is "" where all is well, else the rest of a sentence."""

    modes_why_not: str = ""  # a file that is closed to others is open to them
    users_why_not: str = ""  # a script's user has no use of a file that is given to it
    keeps_owners: bool = True
    warnings: tuple[str, ...] = ()  # whole sentences for the admin


def look(data: str, *, web: User, script: User | None) -> FileSystem:
    """Try it with files of `web`. `script` is a user for scripts, None where no other user can be tried."""
    try:
        with _folder(data, web) as fd:
            found = _try(fd, script)
    except OSError as error:
        why = (
            f"modes and owners could not be tried in the data folder at the start: {error.strerror}"
        )
        found = FileSystem(modes_why_not=why)
    return found._replace(warnings=(*_readable(found), *_without_programs(data)))


def _try(fd: int, script: User | None) -> FileSystem:
    for name in (_CLOSED, _GIVEN):
        _make(name, fd)
    kind = f"the file system of the data folder ({type_of(fd)})"
    if script is None:
        is_open = os.stat(_CLOSED, dir_fd=fd).st_mode & (stat.S_IRWXG | stat.S_IRWXO)
        return FileSystem(modes_why_not=f"{kind} ignores modes" if is_open else "")
    with folders.pinned(_GIVEN, dir_fd=fd) as given:
        with contextlib.suppress(OSError):
            file_access.give(given, script.uid, script.gid)
        keeps_owners = os.fstat(given).st_uid == script.uid
    modes_why_not = users_why_not = ""
    if users.can(script, lambda: os.open(_CLOSED, os.O_RDONLY, dir_fd=fd)):
        modes_why_not = f"{kind} ignores modes and owners"
    if not users.can(script, lambda: os.open(_GIVEN, os.O_RDWR, dir_fd=fd)):
        users_why_not = f"{kind} gives no file to another user"
    return FileSystem(modes_why_not, users_why_not, keeps_owners)


def _make(name: str, fd: int) -> None:
    file = os.open(name, _MAKE, 0o600, dir_fd=fd)
    try:
        with contextlib.suppress(PermissionError):
            os.fchmod(file, 0o600)
    finally:
        os.close(file)


@contextlib.contextmanager
def _folder(data: str, web: User) -> Iterator[int]:
    # A folder of web's that others may pass: whoever has its descriptor needs no way to it.
    name = f".probe-{os.urandom(4).hex()}"
    data_fd = folders.open_path(data)
    try:
        with file_access.as_user(*web):
            os.mkdir(name, 0o700, dir_fd=data_fd)
            try:
                fd = folders.open_directory(name, dir_fd=data_fd)
                try:
                    with contextlib.suppress(PermissionError):
                        os.fchmod(fd, 0o711)
                    yield fd
                finally:
                    os.close(fd)
            finally:
                _remove(name, data_fd)
    finally:
        os.close(data_fd)


def _remove(name: str, data_fd: int) -> None:
    # Left over by a start that was killed it is an empty name, and harmless.
    with contextlib.suppress(OSError):
        fd = folders.open_directory(name, dir_fd=data_fd)
        for file in (_CLOSED, _GIVEN):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(file, dir_fd=fd)
        os.close(fd)
        os.rmdir(name, dir_fd=data_fd)


def type_of(fd: int) -> str:
    """Return the kind of the file system that an open file lies on, such as `ext4` or `fuseblk`."""
    number = folders.mount_of(fd).partition(b":")[2].strip()
    with open("/proc/self/mountinfo", "rb") as file:
        for line in file:
            mount, _separator, rest = line.partition(b" - ")
            if mount.split(b" ", 1)[0] == number:
                return os.fsdecode(rest.split(b" ", 1)[0])
    return "of an unknown kind"


def _readable(found: FileSystem) -> Iterator[str]:
    if found.modes_why_not:
        yield (
            "Other users of this machine may read the secret key and the database: "
            f"{found.modes_why_not}. hint: move the data folder (PYSCHED_DATA_PATH) to a Linux file system"
        )


def _without_programs(data: str) -> Iterator[str]:
    for name in _WITH_PROGRAMS:
        path = os.path.join(data, name).rstrip("/")
        with contextlib.suppress(OSError):
            if os.statvfs(path).f_flag & os.ST_NOEXEC:
                yield (
                    f"{path} is mounted without `exec`: packages with compiled parts, their commands and "
                    "Pythons that Tempo installed cannot run. hint: mount it with `exec`"
                )
                return
