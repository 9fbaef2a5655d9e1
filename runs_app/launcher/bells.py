"""Bells: datagrams without content that say "look"; nothing depends on one being heard."""

import contextlib
import os
import socket

STATE = "state.bell"
OUTPUT = "output.bell"


def bell_folder(data: str) -> str:
    return os.path.join(data, "run")


def open_bell_folder(data: str) -> int:
    return os.open(bell_folder(data), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


class Bells:
    def __init__(self, folder_fd: int) -> None:
        # Socket addresses end after 108 bytes: the way through the descriptor is short for any data folder.
        self._folder = f"/proc/self/fd/{folder_fd}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.fds = (folder_fd, self._socket.fileno())

    def ring(self, name: str) -> None:
        # Sent, not connected, so that the listener may restart.
        with contextlib.suppress(OSError):
            self._socket.sendto(b"look", f"{self._folder}/{name}")
