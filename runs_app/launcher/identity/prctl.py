"""The calls to the C library that Python has no name for; the only user of ctypes, loaded once before any fork."""

import ctypes
import os
import signal
from collections.abc import Iterable, Mapping

_SET_PDEATHSIG = 1
_SET_CHILD_SUBREAPER = 36
_SET_NO_NEW_PRIVS = 38
_CAPABILITY_VERSION_3 = 0x20080522
_NEW_MOUNTS = 0x00020000
_BIND, _RECURSIVE, _SLAVE = 1 << 12, 1 << 14, 1 << 19
_SIGNAL_SET_BYTES = 128  # of glibc and musl

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
# By name once: a forked process would look each of them up anew.
_capset, _execve, _mount, _unshare = _libc.capset, _libc.execve, _libc.mount, _libc.unshare
_setfsgid, _setfsuid, _sigaddset = _libc.setfsgid, _libc.setfsuid, _libc.sigaddset
_signal = _libc.signal
_signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
_sigprocmask = _libc.sigprocmask
_sigprocmask.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p]
# See capset(2): two sets of effective, permitted and inheritable.
_CAPABILITY_HEADER = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
_NO_CAPABILITIES = (ctypes.c_uint32 * 6)()


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
    if _capset(_CAPABILITY_HEADER, _NO_CAPABILITIES) != 0:
        raise _error()


def use_files_as(uid: int, gid: int) -> tuple[int, int]:
    """Open and make files as `uid`:`gid` (setfsuid(2)) from now on; return the user and group before."""
    # The right to send signals stays. Without root, nothing changes.
    # The group first: behind the change of user there is no right to it.
    back = int(_setfsuid(0))
    before = (back, int(_setfsgid(gid)))
    _setfsuid(uid)
    return before


def mount_for_itself(source: str, target: str) -> None:
    """Show the folder `source` as `target` to this process and its later children alone. Raise OSError."""
    # What others mount or unmount later is seen here too, never the other way round.
    if _unshare(_NEW_MOUNTS) != 0:
        raise _error()
    for folder, place, flags in (
        (b"none", b"/", _RECURSIVE | _SLAVE),
        (os.fsencode(source), os.fsencode(target), _BIND),
    ):
        if _mount(folder, place, None, ctypes.c_ulong(flags), None) != 0:
            raise _error()


class Program:
    """A program to become, laid out for execve(2) beforehand: nothing is left to make when the time has come."""

    def __init__(self, argv: list[bytes], env: Mapping[bytes, bytes]) -> None:
        self._path = argv[0]
        self._argv = _texts(argv)
        self._env = _texts([b"%b=%b" % variable for variable in env.items()])

    def begin(self) -> None:
        """Become it. Raise OSError."""
        _execve(self._path, self._argv, self._env)
        raise _error()


def _texts(values: list[bytes]) -> "ctypes.Array[ctypes.c_char_p]":
    return (ctypes.c_char_p * (len(values) + 1))(*values)


# Signals without the enumerations of `signal`, which makes an object of every signal in a mask, each time.


def signal_set(signals: Iterable[int]) -> bytes:
    content = ctypes.create_string_buffer(_SIGNAL_SET_BYTES)
    for signum in signals:
        _sigaddset(content, int(signum))
    return content.raw


def block_signals(signals: bytes) -> bytes:
    """Block a set of signals too; return the set that was blocked before."""
    before = ctypes.create_string_buffer(_SIGNAL_SET_BYTES)
    _sigprocmask(signal.SIG_BLOCK, signals, before)
    return before.raw


def set_blocked_signals(signals: bytes) -> None:
    _sigprocmask(signal.SIG_SETMASK, signals, None)


def reset_handler(signum: int) -> None:
    """Set a signal back to the default action. Python does not hear of it: for a process that becomes a program."""
    _signal(signum, None)


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
