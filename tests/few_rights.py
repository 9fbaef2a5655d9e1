"""Root as the image has it: with the few rights that the files in `deploy/` leave to it."""

import ctypes
import os
from collections.abc import Callable

from deploy.generator import files
from runs_app.launcher.identity import users

_VERSION_3 = 0x20080522  # of capset(2)
NAMES = files.facts()["capabilities"]
# In front of a command line.
PREFIX = [
    "setpriv",
    "--inh-caps=-all",
    "--bounding-set=-all," + ",".join(f"+{name.lower()}" for name in NAMES),
]
_BITS = sum(1 << number for number, name in users._NEEDED.items() if name in NAMES)
_libc = ctypes.CDLL(None, use_errno=True)


def act(act: Callable[[], object]) -> bool:
    """Carry it out in a child that is root with few rights; whether nothing was raised. Other users pass it by."""

    def give_up_and_act() -> None:
        _give_up()
        act()

    return users.succeeds_in_a_child(give_up_and_act)


def _give_up() -> None:
    if os.geteuid() != 0:
        return
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)(_BITS, _BITS)  # effective and permitted, not inheritable
    assert _libc.capset(header, sets) == 0, os.strerror(ctypes.get_errno())
