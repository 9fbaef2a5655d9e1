"""Content-free datagrams ("look") from runners: each bell is a socket in the data folder's `run/`."""

import contextlib
import os
import socket

from tempo_site.lib import paths

STATE = "state.bell"  # a run began or ended: settle
OUTPUT = "output.bell"  # there is more to read
_DRAINED_AT_ONCE = 100


def listen(name: str) -> socket.socket:
    """Bind one bell, non-blocking. A socket left by a predecessor is replaced."""
    bell = socket.socket(
        socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    )
    folder = os.open(paths.bells(), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        (paths.bells() / name).unlink(missing_ok=True)
        # a socket's path holds 108 bytes, a data folder may be deeper
        bell.bind(f"/proc/self/fd/{folder}/{name}")
    finally:
        os.close(folder)
    return bell


def drain(bell: socket.socket) -> None:
    """Take the waiting datagrams: many rings are one. Not without end: somebody may ring faster than we take."""
    with contextlib.suppress(BlockingIOError):
        for _ in range(_DRAINED_AT_ONCE):
            bell.recv(16)
