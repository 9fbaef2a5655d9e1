"""The prctl(2) calls that Python has no name for; the only user of ctypes, loaded once before anything is forked."""

import ctypes
import os
import signal

_SET_PDEATHSIG = 1
_SET_CHILD_SUBREAPER = 36
_SET_NO_NEW_PRIVS = 38

_prctl = ctypes.CDLL(None, use_errno=True).prctl
_prctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong]


def become_subreaper() -> None:
    """Orphans among this process's descendants become its children instead of init's. Raises OSError."""
    _call(_SET_CHILD_SUBREAPER, 1)


def die_with_parent(signum: signal.Signals, parent_pid: int) -> None:
    """Have the kernel send `signum` to this process when its parent ends; ends at once if `parent_pid` is gone."""
    _call(_SET_PDEATHSIG, signum)
    if os.getppid() != parent_pid:
        os._exit(1)


def forbid_new_privileges() -> None:
    """No setuid program gains anything for this process or its children, for ever. Raises OSError."""
    _call(_SET_NO_NEW_PRIVS, 1)


def _call(option: int, value: int) -> None:
    if _prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
