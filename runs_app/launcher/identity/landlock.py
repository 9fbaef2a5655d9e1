"""Landlock: a process gives up all paths but a list, with all later children, for ever (landlock(7))."""

import errno
import functools
import os
import stat
import struct
from collections.abc import Iterable
from typing import NamedTuple

from runs_app.launcher import folders
from runs_app.launcher.identity import prctl

SIGNALS_ABI = 6  # from Linux 6.12 on processes outside cannot be signalled either
_NETWORK_ABI = 4  # the field for rights to the network comes second

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_VERSION_FLAG = 1
_PATH_BENEATH = 1
_RULE = struct.Struct("=Qi")  # rights, descriptor
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_MAKE_CHAR, _MAKE_BLOCK = 1 << 6, 1 << 11
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_RIGHT_SINCE_ABI = {2: _REFER, 3: _TRUNCATE, 5: _IOCTL_DEV}
_FIRST_RIGHTS = (1 << 13) - 1
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_SCOPE_ABSTRACT_SOCKETS, _SCOPE_SIGNALS = 1 << 0, 1 << 1

READ = _EXECUTE | _READ_FILE | _READ_DIR
WRITE = ((1 << 16) - 1) & ~(_MAKE_CHAR | _MAKE_BLOCK)  # everything but making devices

# The parts of a system that any program needs, without the files of people.
SYSTEM_READ = (
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
    "/nix/store",
    "/gnu/store",
    "/var/lib/ca-certificates",
)
SYSTEM_WRITE = ("/dev/null", "/dev/zero", "/dev/full", "/dev/tty", "/dev/shm")
# Beside what the spec refuses, no path that people opened may be, hold or lie in these.
NEVER_SHARED = ("/proc", "/sys")
# Pseudo-terminals: for a script with a user of its own, since among them are all other terminals of the same user.
TERMINALS = ("/dev/ptmx", "/dev/pts")


def abi() -> int:
    """Return the kernel's version of Landlock, 0 for none. Raise OSError when the kernel refuses to give it."""
    try:
        return prctl.system_call(_CREATE_RULESET, None, 0, _VERSION_FLAG)
    except OSError as error:
        if error.errno == errno.ENOSYS:
            return 0
        raise


@functools.cache
def system_paths() -> tuple[list[str], list[str]]:
    """Return the real paths of the system's folders and files to read, and of those to write; resolved once."""
    return _outermost(SYSTEM_READ), _outermost(SYSTEM_WRITE)


class Shared(NamedTuple):
    """Paths that people opened on a page. None may be, hold or lie in one of `refused`, links followed."""

    read: list[str]
    write: list[str]
    refused: list[str]


NOTHING_SHARED = Shared([], [], [])


def make(
    *,
    read: Iterable[str],
    write: Iterable[str],
    closed: Iterable[str],
    shared: Shared = NOTHING_SHARED,
) -> int:
    """Return a rule set of the paths and the system's, without missing paths and the way to `closed`. Raise OSError."""
    version = abi()
    rights = _rights(version)
    rules_fd = prctl.system_call(_CREATE_RULESET, *_attributes(version, rights))
    try:
        system_read, system_write = system_paths()
        kept = _Closed.of(closed)
        for path in (*system_read, _resolver(), *read):
            _allow(rules_fd, path, READ & rights, kept)
        for path in (*system_write, *write):
            _allow(rules_fd, path, WRITE & rights, kept)
        if shared.read or shared.write:
            refused = list(map(folders.real_path, (*shared.refused, *NEVER_SHARED)))
            for path in shared.read:
                _allow_shared(rules_fd, path, READ & rights, refused)
            for path in shared.write:
                _allow_shared(rules_fd, path, WRITE & rights, refused)
    except OSError:
        os.close(rules_fd)
        raise
    return rules_fd


def enter(rules_fd: int) -> None:
    """Apply the rule set to this process, where new privileges have to be forbidden first. Raise OSError."""
    prctl.system_call(_RESTRICT_SELF, rules_fd, 0)


@functools.cache
def _rights(version: int) -> int:
    # Every right to files that the kernel can guard; one that it does not know would be an error.
    rights = _FIRST_RIGHTS
    for since, right in _RIGHT_SINCE_ABI.items():
        if version >= since:
            rights |= right
    return rights


@functools.cache
def _attributes(version: int, rights: int) -> tuple[bytes, int]:
    fields = [rights]
    if version >= _NETWORK_ABI:
        fields.append(0)
    if version >= SIGNALS_ABI:
        fields.append(_SCOPE_ABSTRACT_SOCKETS | _SCOPE_SIGNALS)
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    return attributes, len(attributes)


class _Closed(NamedTuple):
    folders: set[str]
    ways: set[str]  # the folders above them

    @classmethod
    def of(cls, paths: Iterable[str]) -> "_Closed":
        closed = cls(set(map(folders.real_path, paths)), set())
        for folder in closed.folders:
            while folder != "/":
                folder = os.path.dirname(folder)
                closed.ways.add(folder)
        return closed


def _allow(rules_fd: int, path: str, rights: int, closed: _Closed, flags: int = 0) -> None:
    # The path itself, or its entries beside the way to a closed folder.
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC | flags)
    except OSError:
        return  # not there, or not for us: nothing to open
    try:
        place = os.readlink(f"/proc/self/fd/{fd}")
        if place in closed.folders:
            return
        if place not in closed.ways:
            _add_rule(rules_fd, fd, rights)
            return
    finally:
        os.close(fd)
    for entry in _entries(place):
        # A link may lead to a closed folder; where it leads otherwise has its own name.
        if not entry.is_symlink():
            _allow(rules_fd, entry.path, rights, closed, os.O_NOFOLLOW)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        return list(os.scandir(folder))
    except OSError:
        return []


# By the descriptor: a link that is put in its way meanwhile leads nowhere else.
def _allow_shared(rules_fd: int, path: str, rights: int, refused: list[str]) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not is_refused(os.readlink(f"/proc/self/fd/{fd}"), refused):
            _add_rule(rules_fd, fd, rights)
    finally:
        os.close(fd)


def is_refused(path: str, refused: Iterable[str]) -> bool:
    """Whether a path without links is, holds or lies in one of these; all hold and lie in `/`."""
    if path == "/":
        return True
    return any(_is_within(path, folder) or _is_within(folder, path) for folder in refused)


def _is_within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + "/")


def _add_rule(rules_fd: int, fd: int, rights: int) -> None:
    if not stat.S_ISDIR(os.fstat(fd).st_mode):
        rights &= _FILE_RIGHTS
    prctl.system_call(_ADD_RULE, rules_fd, _PATH_BENEATH, _RULE.pack(rights, fd))


def _resolver() -> str:
    # /etc/resolv.conf may point into a folder whose files are replaced now and then.
    path = folders.real_path("/etc/resolv.conf")
    folder = os.path.dirname(path)
    if folder.startswith("/run/"):
        return folder
    return path


def _outermost(paths: Iterable[str]) -> list[str]:
    # A rule opens all that lies below its path, and each rule costs its time.
    outermost: list[str] = []
    for path in sorted(map(folders.real_path, paths), key=lambda path: path.split("/")):
        if not outermost or not path.startswith(outermost[-1].rstrip("/") + "/"):
            outermost.append(path)
    return outermost
