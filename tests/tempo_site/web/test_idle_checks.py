"""What daphne does every second or two is left alone while nobody is connected."""

import daphne.server
import pytest
from twisted.internet.task import Clock

from tempo_site.web import server
from tempo_site.web.bounded_request import BoundedFactory
from tempo_site.web.server import WebServer


class Connection:
    def __init__(self) -> None:
        self.checks = 0

    def check_timeouts(self) -> None:
        self.checks += 1


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(server, "reactor", clock)
    monkeypatch.setattr(daphne.server, "reactor", clock)
    return clock


@pytest.fixture
def web(clock: Clock) -> WebServer:
    web = WebServer()
    web.connections = {}  # as `run` does
    web.application_checker()
    web.timeout_checker()
    return web


def test_nobody_is_woken_for_nobody(web: WebServer, clock: Clock) -> None:
    assert clock.getDelayedCalls() == []


def test_no_clock_is_kept_for_a_log_that_nobody_keeps(web: WebServer, clock: Clock) -> None:
    factory = BoundedFactory(web)
    factory.reactor = clock
    factory.doStart()
    assert (factory.numPorts, clock.getDelayedCalls()) == (1, [])


def test_a_connection_is_looked_at_as_long_as_it_is_there(web: WebServer, clock: Clock) -> None:
    first = Connection()
    web.protocol_connected(first)
    web.protocol_connected(Connection())
    clock.pump([1.0] * 10)
    assert first.checks == 5 and len(clock.getDelayedCalls()) == 2
    web.connections.clear()
    clock.pump([1.0] * 3)
    assert clock.getDelayedCalls() == []


def test_those_who_are_gone_are_cleared_away(web: WebServer, clock: Clock) -> None:
    gone = Connection()
    web.protocol_connected(gone)
    web.protocol_disconnected(gone)
    clock.pump([1.0] * 3)
    assert (web.connections, clock.getDelayedCalls()) == ({}, [])
