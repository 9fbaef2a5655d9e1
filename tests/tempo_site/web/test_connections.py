"""Connections are counted by who holds them, and a request has to come within a time."""

import asyncio
import ipaddress
import os
from typing import Any

import pytest
from pytest_django import Settings
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from tempo_site.web import body_limits, bounded_request
from tempo_site.web.body_limits import STRANGER_BYTES
from tempo_site.web.bounded_request import HEAD_S, BoundedConnections, BoundedFactory
from tests.tempo_site.web.server import GET, Server, part

BLOCK = b"a" * STRANGER_BYTES


class Held:
    """Connections to one server, at a clock that the test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = Clock()
        monkeypatch.setattr(bounded_request, "reactor", self.clock)
        self.server = Server()
        self.all = BoundedConnections(BoundedFactory(self.server))

    def opened(self, address: str = "192.0.2.7") -> Any:
        """A connection from an address, or None if it is refused."""
        peer = IPv4Address("TCP", address, 4711)
        connection = self.all.buildProtocol(peer)
        if connection is not None:
            connection.makeConnection(StringTransport(peerAddress=peer))
        return connection


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Held:
    """No connections yet."""
    return Held(monkeypatch)


def test_addresses_of_one_ipv6_network_are_one(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_request, "MAX_CONNECTIONS_OF_ADDRESS", 2)
    one_network = [held.opened(f"2001:db8::{number}") for number in range(1, 4)]
    assert [connection is None for connection in one_network] == [False, False, True]
    assert held.opened("2001:db8:0:1::1") is not None


def test_ipv4_clients_of_an_ipv6_socket_are_not_one(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_request, "MAX_CONNECTIONS_OF_ADDRESS", 1)
    assert held.opened("::ffff:192.0.2.7") is not None
    assert held.opened("::ffff:192.0.2.8") is not None
    assert held.opened("192.0.2.7") is None


def test_clients_of_one_ipv6_network_behind_a_proxy_are_one(held: Held, settings: Settings) -> None:
    settings.TRUSTED_PROXIES = [ipaddress.ip_network("10.0.0.0/8")]
    for number in range(2):
        line = b"X-Forwarded-For: 2001:db8::%d" % number
        held.opened("10.0.0.5").dataReceived(GET[:-2] + line + b"\r\n\r\n")
    assert held.all.held_by("2001:db8::/64") == 2


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_there_are_places_that_only_this_machine_gets(
    held: Held, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setattr(bounded_request, "MAX_CONNECTIONS", 2)
    others = [held.opened(f"192.0.2.{number}") for number in range(3)]
    assert [connection is None for connection in others] == [False, False, True]
    here = [held.opened(address) for _ in range(bounded_request.KEPT_FOR_LOOPBACK + 1)]
    assert [connection is None for connection in here].index(True) == len(here) - 1


@pytest.mark.parametrize(
    "beginning",
    [
        GET[:-2],
        b"POST /login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n",
        b"POST /login/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na",
    ],
)
def test_a_request_that_comes_byte_by_byte_has_a_limit_as_a_whole(
    held: Held, beginning: bytes
) -> None:
    connection = held.opened()
    connection.dataReceived(beginning[:10])
    held.clock.advance(HEAD_S / 2)
    connection.dataReceived(beginning[10:])
    held.clock.advance(HEAD_S / 2 - 1)
    assert not connection.transport.disconnected
    held.clock.advance(1)
    assert connection.transport.disconnected


def test_an_answer_may_take_longer_and_the_next_request_has_the_whole_time(held: Held) -> None:
    connection = held.opened()
    connection.dataReceived(GET)
    held.clock.advance(10 * HEAD_S)
    (request,) = held.server.requests
    request.handle_reply({"type": "http.response.start", "status": 200, "headers": []})
    part(request, more=False)
    held.clock.advance(10 * HEAD_S)
    connection.dataReceived(GET[:10])
    held.clock.advance(HEAD_S - 1)
    assert not connection.transport.disconnected
    held.clock.advance(1)
    assert connection.transport.disconnected


def test_a_connection_that_is_gone_has_no_clock(held: Held) -> None:
    connection = held.opened()
    connection.dataReceived(GET[:10])
    connection.connectionLost(None)
    assert held.clock.getDelayedCalls() == []


def test_a_large_body_of_a_known_caller_may_take_longer(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def known(*_: object) -> int:
        return body_limits.OK

    async def send() -> None:
        head = b"POST /login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
        connection.dataReceived(head % (2 * STRANGER_BYTES))
        await asyncio.sleep(0)
        connection.dataReceived(BLOCK)
        await asyncio.sleep(0)

    monkeypatch.setattr(body_limits, "status_of_caller", known)
    connection = held.opened()
    asyncio.run(send())
    held.clock.advance(10 * HEAD_S)
    connection.dataReceived(BLOCK)
    assert not connection.transport.disconnected
    (request,) = held.server.requests
    assert request.content.seek(0, os.SEEK_END) == 2 * STRANGER_BYTES
