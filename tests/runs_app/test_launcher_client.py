"""The line to a launcher that answers, is held up, and goes on."""

import socket
from collections.abc import Iterator

import pytest

from runs_app.launcher import wire
from runs_app.launcher_client import LauncherClient, LauncherError
from tests.service import wait_for

FOLDER = "2026-11/1-abcdef"
MB = b"x" * 2**20


class Peer:
    """The launcher's end of the line."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._decoder = wire.Decoder()

    def requests(self) -> list[wire.Message]:
        """What has come by now."""
        return self._decoder.feed(self._end.recv(2**20))

    def answer(self, request: wire.Message) -> None:
        self._end.sendall(wire.encode({"id": request["id"], "ok": True, "pid": 7}))


@pytest.fixture
def line() -> Iterator[tuple[LauncherClient, Peer]]:
    ours, theirs = socket.socketpair()
    yield LauncherClient(ours), Peer(theirs)
    theirs.close()


def test_of_many_starts_one_waits_for_a_launcher_that_is_held_up(
    line: tuple[LauncherClient, Peer],
) -> None:
    client, peer = line
    for _ in range(20):
        with pytest.raises(LauncherError):
            client.start(FOLDER)
    assert [request["op"] for request in peer.requests()] == ["start"]


def test_starts_go_on_with_the_first_sign_of_life(line: tuple[LauncherClient, Peer]) -> None:
    client, peer = line
    with pytest.raises(LauncherError):
        client.start(FOLDER)
    (late,) = peer.requests()
    peer.answer(late)
    wait_for(lambda: not client._is_silent, what="the late answer")
    with pytest.raises(LauncherError):
        client.start(FOLDER)  # unanswered here: what counts is that it was asked
    assert [request["op"] for request in peer.requests()] == ["start"]


def test_a_cancel_is_sent_to_a_launcher_that_is_held_up(line: tuple[LauncherClient, Peer]) -> None:
    client, peer = line
    for _ in range(2):
        with pytest.raises(LauncherError):
            client.cancel(FOLDER)
    assert [request["op"] for request in peer.requests()] == ["cancel", "cancel"]


def test_a_line_that_is_full_keeps_nobody() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    while _is_sent(ours):
        pass
    ours.setblocking(True)
    client = LauncherClient(ours)
    with pytest.raises(LauncherError):
        client.cancel(FOLDER)
    theirs.close()


def _is_sent(end: socket.socket) -> bool:
    try:
        return end.send(MB) > 0
    except BlockingIOError:
        return False
