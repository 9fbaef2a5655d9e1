"""The kernel's session keyring: passwords and tickets that a process shares with its children and with nobody else."""

import errno
import os

from runs_app.launcher.identity import prctl

_JOIN_SESSION_KEYRING = 1
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
# A kernel without keyrings; a container engine that forbids the call.
_THERE_IS_NONE = (errno.ENOSYS, errno.EPERM)


def begin_a_new_one() -> None:
    """Leave the inherited session keyring for a new, empty one, where there are keyrings. Raise OSError."""
    number = _KEYCTL.get(os.uname().machine)
    if number is None:
        return
    try:
        prctl.system_call(number, _JOIN_SESSION_KEYRING, 0)
    except OSError as error:
        if error.errno not in _THERE_IS_NONE:
            raise
