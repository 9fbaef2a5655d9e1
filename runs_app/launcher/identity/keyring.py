"""The kernel's session keyring: passwords and tickets that a process shares with its children and with nobody else."""

import errno
import os

from runs_app.launcher.identity import prctl

_JOIN_SESSION_KEYRING, _SET_PERMISSIONS = 1, 5
_SESSION_KEYRING = -3
_VIEW_READ_SEARCH = 0x0B000000  # for whoever has it; nobody may write, or change that
# The number of keyctl(2) by machine.
_KEYCTL = {
    "x86_64": 250,
    "i386": 288,
    "i686": 288,
    "aarch64": 219,
    "riscv64": 219,
    "loongarch64": 219,
    "armv6l": 311,
    "armv7l": 311,
    "ppc64le": 271,
    "s390x": 280,
}
_NUMBER = _KEYCTL.get(os.uname().machine)
# A kernel without keyrings; a container engine that forbids the call.
_THERE_IS_NONE = (errno.ENOSYS, errno.EPERM)


def begin_an_empty_one() -> bool:
    """Begin one that stays empty; return whether nothing of before is inherited any more. Raise OSError."""
    if not begin_a_new_one():
        return False
    _call(_SET_PERMISSIONS, _SESSION_KEYRING, _VIEW_READ_SEARCH)
    return True


def begin_a_new_one() -> bool:
    """Leave the inherited session keyring for a new, empty one, where there are keyrings. Raise OSError.

    Return False where the user has too many keys already: a script can see to that itself, at the cost of its
    further runs, which then have the inherited one.
    """
    try:
        _call(_JOIN_SESSION_KEYRING, 0)
    except OSError as error:
        if error.errno != errno.EDQUOT:
            raise
        return False
    return True


def _call(operation: int, first: int, second: int | None = None) -> None:
    if _NUMBER is None:
        return
    try:
        prctl.system_call(_NUMBER, operation, first, second)
    except OSError as error:
        if error.errno not in _THERE_IS_NONE:
            raise
