"""The port that Tempo can be reached at, as the socket says that the launcher handed over."""

import os
import socket

import pytest

from tempo_site.lib import listener


def test_it_is_the_port_that_is_listened_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(listener, "LISTEN_FD", server.fileno())
        assert listener.port() == server.getsockname()[1]
        assert os.fstat(server.fileno())  # it stays open


def test_another_descriptor_or_none_is_no_port(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as quiet, socket.socket(socket.AF_UNIX) as local:
        pipe = os.pipe()
        for number in (quiet.fileno(), local.fileno(), *pipe, 9999):
            monkeypatch.setattr(listener, "LISTEN_FD", number)
            assert listener.port() == 0
        for number in pipe:
            os.close(number)
