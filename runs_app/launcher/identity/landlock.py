"""Landlock: a process gives up all paths but a list of them, for itself and its children, for ever (landlock(7))."""

import contextlib
import errno
import os
import stat
import struct
from collections.abc import Iterable, Iterator

from runs_app.launcher.identity import prctl

SIGNALS_ABI = 6  # from Linux 6.12 on processes outside cannot be signalled either

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_VERSION_FLAG = 1
_PATH_BENEATH = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_MAKE_CHAR, _MAKE_BLOCK = 1 << 6, 1 << 11
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_RIGHT_SINCE_ABI = {2: _REFER, 3: _TRUNCATE, 5: _IOCTL_DEV}
_FIRST_RIGHTS = (1 << 13) - 1
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_SCOPE_ABSTRACT_SOCKETS, _SCOPE_SIGNALS = 1 << 0, 1 << 1

READ = _EXECUTE | _READ_FILE | _READ_DIR
WRITE = ((1 << 16) - 1) & ~(_MAKE_CHAR | _MAKE_BLOCK)  # everything but making devices

# What any program needs of a system, without what lies there of people.
SYSTEM_READ = (
    *(
        "/usr",
        "/bin",
        "/sbin",
        "/lib",
        "/lib32",
        "/lib64",
        "/etc",
        "/proc",
        "/sys",
        "/dev/random",
        "/dev/urandom",
    ),
    *("/nix/store", "/gnu/store", "/var/lib/ca-certificates"),
)
SYSTEM_WRITE = ("/dev/null", "/dev/zero", "/dev/full", "/dev/tty", "/dev/shm")
# Pseudo-terminals: for who has a user of its own, since among them are all other terminals of the same user.
TERMINALS = ("/dev/ptmx", "/dev/pts")


def abi() -> int:
    """Which Landlock the kernel has, 0 for none. Raises OSError when it is there but not to be had."""
    try:
        return prctl.system_call(_CREATE_RULESET, None, 0, _VERSION_FLAG)
    except OSError as error:
        if error.errno == errno.ENOSYS:
            return 0
        raise


def make(*, read: Iterable[str], write: Iterable[str], closed: Iterable[str]) -> int:
    """A rule set's descriptor, for `enter()`: these paths and the system's; none that leads to a `closed` folder.

    Paths that are missing are left out. Raises OSError.
    """
    version = abi()
    rights = _rights(version)
    rules_fd = prctl.system_call(_CREATE_RULESET, *_attributes(version, rights))
    kept_shut = [os.path.realpath(folder) for folder in closed]
    for paths, wanted in (
        ((*SYSTEM_READ, *_resolver(), *read), READ),
        ((*SYSTEM_WRITE, *write), WRITE),
    ):
        real = {os.path.realpath(path) for path in paths}
        for part in _outermost({part for path in real for part in _parts_beside(path, kept_shut)}):
            _allow(rules_fd, part, wanted & rights)
    return rules_fd


def enter(rules_fd: int) -> None:
    """Shut this process in, which needs new privileges to be forbidden first. Raises OSError."""
    prctl.system_call(_RESTRICT_SELF, rules_fd, 0)


def _rights(version: int) -> int:
    """Every right to files that the kernel can guard; one it does not know would be an error."""
    rights = _FIRST_RIGHTS
    for since, right in _RIGHT_SINCE_ABI.items():
        rights |= right if version >= since else 0
    return rights


def _attributes(version: int, rights: int) -> tuple[bytes, int]:
    scoped = _SCOPE_ABSTRACT_SOCKETS | _SCOPE_SIGNALS if version >= SIGNALS_ABI else 0
    fields = [rights, 0, scoped][: 3 if version >= SIGNALS_ABI else 2 if version >= 4 else 1]
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    return attributes, len(attributes)


def _allow(rules_fd: int, path: str, rights: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # not there, or not for us: nothing to open
    try:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            rights &= _FILE_RIGHTS
        prctl.system_call(_ADD_RULE, rules_fd, _PATH_BENEATH, struct.pack("=Qi", rights, fd))
    finally:
        os.close(fd)


def _resolver() -> list[str]:
    """Where names are looked up: /etc/resolv.conf may point into a folder whose files are replaced now and then."""
    place = os.path.realpath("/etc/resolv.conf")
    folder = os.path.dirname(place)
    return [folder if folder.startswith("/run/") else place]


def _outermost(paths: set[str]) -> Iterator[str]:
    """The paths that lie in none of the others: a rule opens all that lies below it, and each costs its time."""
    last = ""
    for path in sorted(paths, key=lambda path: path.split("/")):
        if not last or not path.startswith(last.rstrip("/") + "/"):
            last = path
            yield path


def _parts_beside(path: str, closed: list[str]) -> Iterator[str]:
    """`path` itself, or what lies in it beside the way to a closed folder."""
    shut = [
        folder for folder in closed if folder == path or folder.startswith(path.rstrip("/") + "/")
    ]
    if not shut:
        yield path
    elif path not in shut:
        with contextlib.suppress(OSError):
            for entry in sorted(os.scandir(path), key=lambda entry: entry.name):
                if (
                    not entry.is_symlink()
                ):  # it may lead to what is closed; where it leads otherwise has its own name
                    yield from _parts_beside(entry.path, closed)
