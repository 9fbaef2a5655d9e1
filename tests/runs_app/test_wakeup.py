"""The bells: whoever rings them, and however often, costs a look and no more."""

import socket
from pathlib import Path

from runs_app import wakeup
from tempo_site.lib import paths

PATIENCE = 1_000


class NeverSilent(socket.socket):
    """A bell that somebody rings faster than it can be drained."""

    taken = 0

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """One more; at last an end, lest a test that fails goes on for ever."""
        self.taken += 1
        if self.taken > PATIENCE:
            raise BlockingIOError
        return b"look"


def test_many_rings_are_one(data_folder: Path) -> None:
    with (
        wakeup.listen(wakeup.STATE) as bell,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ringer,
    ):
        for content in (b"look", b"", b"x" * 100):
            ringer.sendto(content, str(paths.bells() / wakeup.STATE))
        wakeup.drain(bell)

        ringer.sendto(b"again", str(paths.bells() / wakeup.STATE))
        assert bell.recv(16) == b"again"


def test_a_bell_that_is_rung_without_end_is_left_alone_after_a_while() -> None:
    with NeverSilent(socket.AF_UNIX, socket.SOCK_DGRAM) as bell:
        wakeup.drain(bell)
        assert 1 < bell.taken < PATIENCE
