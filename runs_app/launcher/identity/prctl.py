"""The calls to the C library that Python has no name for; the only user of ctypes, loaded once before any fork."""

import ctypes
import os
import signal

_SET_PDEATHSIG = 1
_SET_CHILD_SUBREAPER = 36
_SET_NO_NEW_PRIVS = 38
_CAPABILITY_VERSION_3 = 0x20080522
_NEW_MOUNTS = 0x00020000
_BIND, _RECURSIVE, _SLAVE = 1 << 12, 1 << 14, 1 << 19

_libc = ctypes.CDLL(None, use_errno=True)
_prctl = _libc.prctl
_prctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong]
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long
_syscall.argtypes = [
    ctypes.c_long,
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_void_p,
    ctypes.c_size_t,
]


def become_subreaper() -> None:
    _call(_SET_CHILD_SUBREAPER, 1)


def die_with_parent(signum: signal.Signals, parent_pid: int) -> None:
    """Have the kernel send `signum` when the parent ends; end now if `parent_pid` is gone already. Raise OSError."""
    # A later change of user would undo this.
    _call(_SET_PDEATHSIG, signum)
    if os.getppid() != parent_pid:
        os._exit(1)


def forbid_new_privileges() -> None:
    """Keep setuid programs from giving this process and all children any right, for ever. Raise OSError."""
    _call(_SET_NO_NEW_PRIVS, 1)


def drop_capabilities() -> None:
    """Give up every capability, with new privileges forbidden also for programs run by root. Raise OSError."""
    # See capset(2): two sets of effective, permitted and inheritable.
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    if _libc.capset(header, (ctypes.c_uint32 * 6)()) != 0:
        raise _error()


def use_files_as(uid: int, gid: int) -> tuple[int, int]:
    """Open and make files as `uid`:`gid` (setfsuid(2)) from now on; return the user and group before."""
    # The right to send signals stays. Without root, nothing changes.
    # The group first: behind the change of user there is no right to it.
    back = int(_libc.setfsuid(0))
    before = (back, int(_libc.setfsgid(gid)))
    _libc.setfsuid(uid)
    return before


def mount_for_itself(source: str, target: str) -> None:
    """Show the folder `source` as `target` to this process and its later children alone. Raise OSError."""
    # What others mount or unmount later is seen here too, never the other way round.
    if _libc.unshare(_NEW_MOUNTS) != 0:
        raise _error()
    for folder, place, flags in (
        (b"none", b"/", _RECURSIVE | _SLAVE),
        (os.fsencode(source), os.fsencode(target), _BIND),
    ):
        if _libc.mount(folder, place, None, ctypes.c_ulong(flags), None) != 0:
            raise _error()


def system_call(
    number: int, first: object, second: int, third: object = None, fourth: int = 0
) -> int:
    result = int(_syscall(number, first, second, third, fourth))
    if result < 0:
        raise _error()
    return result


def _call(option: int, value: int) -> None:
    if _prctl(option, value, 0, 0, 0) != 0:
        raise _error()


def _error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
