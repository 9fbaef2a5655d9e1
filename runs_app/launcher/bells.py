"""Bells: datagrams without content that say "look"; nothing depends on one being heard."""

import contextlib
import os
import socket

STATE = "state.bell"
OUTPUT = "output.bell"


def open_bell_folder(data: str) -> int:
    """A descriptor of `<data>/run`, where the bells hang. Raises OSError."""
    return os.open(os.path.join(data, "run"), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


class Bells:
    """Rings from one process; never blocks, never fails."""

    def __init__(self, tower_fd: int) -> None:
        # Socket addresses end after 108 bytes: the way through the descriptor is short for any data folder.
        self._tower = f"/proc/self/fd/{tower_fd}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)

    def ring(self, name: str) -> None:
        """Say "look" to whoever listens at `name`; sent, not connected, so that the listener may restart."""
        with contextlib.suppress(OSError):
            self._socket.sendto(b"look", f"{self._tower}/{name}")
