"""The kernel's session keyring: each run begins one of its own."""

import ctypes
import errno
import os

import pytest

from runs_app.launcher.identity import keyring, prctl
from tests.runs_app.launcher.confined import MODES, Mode, Place

KEYCTL = keyring._KEYCTL[os.uname().machine]
ADD_KEY = KEYCTL - 2  # on every machine
SESSION = -3
TRY = f"""
import ctypes, errno, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
found = libc.syscall({KEYCTL}, 10, ctypes.c_long({SESSION}), b"user", b"tempo-test", 0)
print("found" if found >= 0 else "nothing")
libc.syscall({ADD_KEY}, b"user", b"tempo-test", b"ticket", ctypes.c_size_t(6), ctypes.c_long({SESSION}))
"""


def leave_a_key() -> None:
    """Put a key where the launcher, which this process starts, would hand it on."""
    libc = ctypes.CDLL(None, use_errno=True)
    session = ctypes.c_long(SESSION)
    libc.syscall(ADD_KEY, b"user", b"tempo-test", b"ticket", ctypes.c_size_t(6), session)


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
def test_a_key_is_found_neither_by_the_next_run_nor_by_one_that_tempo_was_started_with(
    mode: Mode,
) -> None:
    leave_a_key()
    with Place(mode) as there:
        assert [there.output(TRY) for _ in range(2)] == ["nothing\n"] * 2


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EPERM])
def test_where_there_are_no_keyrings_none_is_begun(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(prctl, "system_call", lambda *_: refuse(number))
    keyring.begin_a_new_one()


def test_where_there_are_keyrings_a_run_without_its_own_does_not_begin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(prctl, "system_call", lambda *_: refuse(errno.EDQUOT))
    with pytest.raises(OSError, match="quota"):
        keyring.begin_a_new_one()


def refuse(number: int) -> int:
    """Answer as the kernel does when it says no."""
    raise OSError(number, os.strerror(number))
