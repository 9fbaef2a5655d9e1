"""The kernel's session keyring: each run begins one of its own."""

import contextlib
import ctypes
import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from subprocess import PIPE

import pytest

from runs_app.launcher.identity import keyring, prctl
from tests.rows import each_row
from tests.runs_app.launcher.confined import MODES, ORDINARY, PYTHON, STRONG, Mode, Place

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


FILL = f"""
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
number = 0
while libc.syscall({ADD_KEY}, b"user", b"%d" % number, b"x", ctypes.c_size_t(1), ctypes.c_long({SESSION})) >= 0:
    number += 1
print(number, ctypes.get_errno(), flush=True)
sys.stdin.read()
"""


def leave_a_key() -> None:
    """Put a key where the launcher, which this process starts, would hand it on."""
    libc = ctypes.CDLL(None, use_errno=True)
    session = ctypes.c_long(SESSION)
    libc.syscall(ADD_KEY, b"user", b"tempo-test", b"ticket", ctypes.c_size_t(6), session)


@each_row("mode", MODES)
def test_a_key_is_found_neither_by_the_next_run_nor_by_one_that_tempo_was_started_with(
    mode: Mode,
) -> None:
    leave_a_key()
    with Place(mode) as there:
        assert [there.output(TRY) for _ in range(2)] == ["nothing\n"] * 2


@contextlib.contextmanager
def too_many_keys(uid: int) -> Iterator[None]:
    """While this is entered, a user may have no further key."""
    user = uid if os.geteuid() == 0 else None
    own = f"import ctypes; ctypes.CDLL(None).syscall({KEYCTL}, 1, 0)"
    command = [PYTHON, "-I", "-S", "-c", f"{own}\n{FILL}"]
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True, user=user) as filler:
        assert filler.stdin and filler.stdout
        assert int(filler.stdout.readline().split()[1]) == errno.EDQUOT
        yield
        filler.stdin.close()


@pytest.mark.parametrize(
    "mode", [mode for mode in (STRONG, ORDINARY) if mode in MODES], ids=lambda mode: mode.name
)
def test_a_run_of_a_user_with_too_many_keys_begins_and_inherits_none(mode: Mode) -> None:
    leave_a_key()
    with Place(mode) as there, too_many_keys(mode.script):
        assert there.output(TRY) == "nothing\n"


def test_nobody_leaves_a_key_in_the_one_that_the_launcher_begins() -> None:
    begin = "from runs_app.launcher.identity import keyring; keyring.begin_an_empty_one()"
    command = [sys.executable, "-c", f"{begin}\n{FILL}"]
    shown = subprocess.run(command, capture_output=True, text=True, input="", check=True)
    assert shown.stdout == f"0 {errno.EACCES}\n"


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EPERM])
def test_where_there_are_no_keyrings_none_is_begun(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(prctl, "system_call", lambda *_: refuse(number))
    assert keyring.begin_a_new_one() and keyring.begin_an_empty_one()


def test_whether_there_was_room_for_another_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prctl, "system_call", lambda *_: refuse(errno.EDQUOT))
    assert not keyring.begin_a_new_one() and not keyring.begin_an_empty_one()


def test_where_there_are_keyrings_a_run_without_its_own_does_not_begin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(prctl, "system_call", lambda *_: refuse(errno.EACCES))
    with pytest.raises(OSError, match="denied"):
        keyring.begin_a_new_one()


def refuse(number: int) -> int:
    """Answer as the kernel does when it says no."""
    raise OSError(number, os.strerror(number))
