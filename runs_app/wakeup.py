"""Content-free datagrams ("look") from runners: each bell is a socket in the data folder's `run/`."""

import contextlib
import os
import socket
from typing import TypeVar

from tempo_site.lib import paths

STATE = "state.bell"  # a run began or ended: settle
OUTPUT = "output.bell"  # there is more to read
_BELL = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
_MAX_DRAINED = 100  # at once: a script may ring faster than we take
_Bell = TypeVar("_Bell", bound=socket.socket | None)


def listen(name: str) -> socket.socket:
    bell = socket.socket(socket.AF_UNIX, _BELL)
    folder = os.open(paths.bells(), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        (paths.bells() / name).unlink(missing_ok=True)
        # A socket's path holds 108 bytes, and a data folder may lie deeper.
        bell.bind(f"/proc/self/fd/{folder}/{name}")
    finally:
        os.close(folder)
    return bell


def hung(bell: _Bell, name: str) -> _Bell | socket.socket:
    """Return the bell; a new one where there is none, or its name is gone, as with `run/`, and one can be hung."""
    if bell is not None and (paths.bells() / name).is_socket():
        return bell
    try:
        return listen(name)
    except OSError:
        return bell


def drain(bell: socket.socket) -> None:
    with contextlib.suppress(BlockingIOError):
        for _ in range(_MAX_DRAINED):
            bell.recv(16)
