"""Users without a name, whom ssh, psql and git refuse: nss_wrapper tells a run's programs a name, from two files."""

import os
import pwd
import re
import sys
from typing import NamedTuple

from runs_app.launcher import files
from runs_app.launcher.identity.users import User

PASSWD, GROUP = "passwd", "group"  # in the run's folder: a script learns of no other script
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,31}")
_MULTIARCH = getattr(sys.implementation, "_multiarch", "")
_LIBRARIES = (
    f"/usr/lib/{_MULTIARCH}/libnss_wrapper.so",
    "/usr/lib64/libnss_wrapper.so",
    "/usr/lib/libnss_wrapper.so",
    "/usr/local/lib/libnss_wrapper.so",
)
_SYSTEMS_MAX_BYTES = 1 << 20


class Naming(NamedTuple):
    """The name of the user that a script runs as."""

    name: str  # "": there is none
    library: str = ""  # nss_wrapper's, where only that makes the name known


NAMELESS = Naming("")


def find_library() -> str:
    """Return the path of nss_wrapper's library, or "" where it is not installed."""
    return next(filter(os.path.isfile, _LIBRARIES), "")


def of_user(uid: int) -> str:
    """Return the system's name of a user, or "". May ask a directory service: for the start of the launcher."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


def choose(wanted: str, uid: int, *, home: bytes, library: str) -> Naming:
    """Return the name of a script's user: the system's, else the one that is `wanted`."""
    known = _name_in_passwd(uid)
    if known:
        return Naming(known)
    # A line of passwd has its fields between colons.
    can_be_listed = _NAME.fullmatch(wanted) and b":" not in home and b"\n" not in home
    return Naming(wanted, library if can_be_listed else "")


def write(folder_fd: int, naming: Naming, user: User, *, home: bytes) -> None:
    """Write the two files into a run's folder. Raise OSError."""
    # nss_wrapper shows its files alone, so the system's users have to be in there.
    name = naming.name.encode()
    passwd = b"%s:x:%d:%d:Tempo script:%s:/bin/sh\n" % (name, user.uid, user.gid, home)
    group = b"%s:x:%d:\n" % (name, user.gid)
    for file, first, systems in ((PASSWD, passwd, "/etc/passwd"), (GROUP, group, "/etc/group")):
        try:
            files.write_new(file, first + _systems(systems), dir_fd=folder_fd)
        except FileExistsError:  # of the program before it
            files.write(file, first + _systems(systems), dir_fd=folder_fd)


def with_name(env: dict[bytes, bytes], naming: Naming, run_folder: str) -> dict[bytes, bytes]:
    """Return a run's variables and those that tell the name; of USER and LOGNAME its own ones win."""
    if not naming.name:
        return env
    name = naming.name.encode()
    told = {b"USER": name, b"LOGNAME": name} | env
    if naming.library:
        told[b"LD_PRELOAD"] = os.fsencode(naming.library)
        told[b"NSS_WRAPPER_PASSWD"] = os.fsencode(os.path.join(run_folder, PASSWD))
        told[b"NSS_WRAPPER_GROUP"] = os.fsencode(os.path.join(run_folder, GROUP))
    return told


def _name_in_passwd(uid: int) -> str:
    number = b"%d" % uid
    content = _systems("/etc/passwd")
    if b":%b:" % number not in content:  # as it is with the users of scripts
        return ""
    for line in content.splitlines():
        fields = line.split(b":", 3)
        if len(fields) > 2 and fields[2] == number:
            return fields[0].decode(errors="replace")
    return ""


def _systems(path: str) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return files.read_open(fd, max_bytes=_SYSTEMS_MAX_BYTES)
    except OSError:
        return b""
    finally:
        os.close(fd)
