"""Bodies have a ceiling and answers wait for their client, before any application hears of a request."""

import asyncio
import ipaddress
import json
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError
from pytest_django import Settings
from twisted.internet.address import IPv4Address
from twisted.internet.testing import StringTransport

from tempo_site.web import body_limits
from tempo_site.web.body_limits import API_BYTES, KB, MB, STRANGER_BYTES, ceiling
from tempo_site.web.bounded_request import (
    MAX_CONNECTIONS_OF_ADDRESS,
    BoundedConnections,
    BoundedFactory,
    BoundedRequest,
    refusal,
)
from tests.rows import each_row
from tests.service import TOKEN, Service, manage, wait_for
from tests.tempo_site.web.server import GET, Server, part

CEILING = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
BLOCK = b"a" * 64 * 1024
LOG_MB = 40
RECORD = b"1700000000000 O F " + b"x" * 1000 + b"\n"


def opened() -> tuple[BoundedRequest, Any, StringTransport]:
    """A request for a page, its connection, and what the connection writes to."""
    server, transport = Server(), StringTransport()
    connection = BoundedFactory(server).buildProtocol(None)
    connection.makeConnection(transport)
    connection.dataReceived(GET)
    return server.requests[0], connection, transport


async def is_waiting(request: BoundedRequest) -> bool:
    """Whether a next part would have to wait."""
    waiting = asyncio.ensure_future(request.wait_until_taken())
    await asyncio.sleep(0)
    is_over = waiting.done()
    waiting.cancel()
    return not is_over


def begun() -> tuple[BoundedRequest, Any, StringTransport]:
    """A request whose long answer has begun."""
    request, connection, transport = opened()
    request.handle_reply({"type": "http.response.start", "status": 200, "headers": []})
    asyncio.run(request.wait_until_taken())
    part(request, more=True)
    return request, connection, transport


def test_a_part_waits_while_the_client_takes_nothing() -> None:
    request, _, transport = begun()
    assert not asyncio.run(is_waiting(request))
    transport.producer.pauseProducing()
    assert asyncio.run(is_waiting(request))
    transport.producer.resumeProducing()
    assert not asyncio.run(is_waiting(request))


def test_a_client_that_goes_away_leaves_nobody_waiting() -> None:
    request, connection, transport = begun()

    async def wait_and_lose() -> None:
        transport.producer.pauseProducing()
        waiting = asyncio.ensure_future(request.wait_until_taken())
        await asyncio.sleep(0)
        connection.connectionLost(None)
        await asyncio.wait_for(waiting, 5)
        await asyncio.wait_for(request.wait_until_taken(), 5)

    asyncio.run(wait_and_lose())


def test_the_next_request_of_a_connection_has_its_own_turn() -> None:
    request, connection, _ = begun()
    part(request, more=False)
    connection.dataReceived(GET)
    following = request.server.requests[1]
    assert not asyncio.run(is_waiting(following))


def test_an_answer_that_fails_on_its_way_is_broken_off() -> None:
    request, _, transport = begun()
    request.handle_exception(ValueError("in the middle"))
    assert transport.disconnecting
    assert not transport.value().endswith(b"0\r\n\r\n"), "nobody takes it for whole"


def test_an_answer_that_fails_before_it_began_is_an_error() -> None:
    request, _, transport = opened()
    request.handle_exception(ValueError("before"))
    assert transport.value().startswith(b"HTTP/1.1 500 ")


def test_a_status_that_twisted_does_not_know_has_its_words() -> None:
    request, _, transport = opened()
    request.handle_reply({"type": "http.response.start", "status": 422, "headers": []})
    part(request, more=False)
    assert transport.value().startswith(b"HTTP/1.1 422 Unprocessable Entity\r\n")


def test_after_the_end_nothing_waits() -> None:
    request, _, _ = begun()
    part(request, more=False)
    assert not asyncio.run(is_waiting(request))


@pytest.mark.parametrize(
    ("path", "kind"), [(b"/api/v1/scripts", b"application/json"), (b"/login/", b"text/plain")]
)
def test_the_api_is_refused_in_its_own_shape(path: bytes, kind: bytes) -> None:
    head, _, body = refusal(413, path).partition(b"\r\n\r\n")
    assert kind in head and f"Content-Length: {len(body)}".encode() in head
    assert b"too large" in body and b"at most" in body and b" MB" in body
    if path.startswith(b"/api/"):
        assert json.loads(body)["error"]["code"] == "too_large"


# --- over a real socket -----------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def running(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One Tempo for the tests below."""
    with Service.copy_of(prepared, tmp_path_factory.mktemp("request") / "service") as service:
        yield service


def connect(service: Service, method: str, path: str, *headers: str) -> socket.socket:
    """A connection on which the head of a request was sent."""
    connection = socket.create_connection(("127.0.0.1", service.port), timeout=30)
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: localhost",
        f"X-API-Key: {TOKEN}",
        *headers,
        "",
        "",
    ]
    connection.sendall("\r\n".join(lines).encode())
    return connection


def all_of(connection: socket.socket) -> bytes:
    """Everything up to the end of the connection."""
    parts = []
    while data := connection.recv(1 << 20):
        parts.append(data)
    return b"".join(parts)


def stored_bytes(pid: int) -> int:
    """Bytes in the temporary files of a process: where bodies are spooled."""
    total = 0
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            name = str(entry.readlink())
            if name.startswith(tempfile.gettempdir()) and name.endswith(" (deleted)"):
                total += entry.stat().st_size
        except OSError:  # closed meanwhile
            continue
    return total


def memory_mb(pid: int) -> int:
    """Resident memory of a process."""
    return (
        int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 2**20
    )


@pytest.mark.slow
def test_a_body_that_says_it_is_too_large_is_refused_unread(running: Service) -> None:
    with connect(running, "POST", "/login/", f"Content-Length: {CEILING + 1}") as connection:
        assert all_of(connection).startswith(b"HTTP/1.1 413 ")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/login/?" + "a" * MB, [], b"414"),
        ("/api/v1/scripts?" + "a" * 17 * KB, [], b"414"),
        ("/api/v1/scripts", ["Cookie: " + "a" * MB], b"431"),
    ],
)
def test_a_line_that_is_too_long_is_answered(
    running: Service, path: str, headers: list[str], status: bytes
) -> None:
    with connect(running, "GET", path, *headers) as connection:
        head, _, body = all_of(connection).partition(b"\r\n\r\n")
    assert head.split()[1] == status and b"Connection: close" in head
    assert b"too long" in body and b"at most 16 KB" in body
    if path.startswith("/api/"):
        assert json.loads(body)["error"]["code"] == "too_large"


@pytest.mark.slow
def test_who_asks_first_is_refused_instead_of_being_asked_to_send(running: Service) -> None:
    headers = (f"Content-Length: {CEILING + 1}", "Expect: 100-continue")
    with connect(running, "POST", "/api/v1/scripts", *headers) as connection:
        answer = all_of(connection)
    assert answer.startswith(b"HTTP/1.1 413 ") and b"100 Continue" not in answer


@pytest.mark.slow
def test_who_sends_all_of_it_can_read_the_refusal_and_nothing_is_stored(running: Service) -> None:
    size = 2 * CEILING
    with connect(running, "POST", "/login/", f"Content-Length: {size}") as connection:
        for _ in range(size // len(BLOCK)):
            connection.sendall(BLOCK)
        assert stored_bytes(running.web_pid()) == 0
        assert all_of(connection).startswith(b"HTTP/1.1 413 ")


@pytest.mark.slow
def test_a_body_in_chunks_is_counted(running: Service) -> None:
    chunk = b"%x\r\n%s\r\n" % (len(BLOCK), BLOCK)
    with connect(running, "POST", "/login/", "Transfer-Encoding: chunked") as connection:
        for _ in range(CEILING // len(BLOCK) + 1):
            connection.sendall(chunk)
        wait_for(lambda: stored_bytes(running.web_pid()) == 0, what="the end of the stored body")
        assert all_of(connection).startswith(b"HTTP/1.1 413 ")


@pytest.mark.slow
def test_a_body_below_the_ceiling_arrives(running: Service) -> None:
    code = "#" * 900_000
    assert running.post("/scripts", {"name": "Long", "code": code})["code"] == code


@pytest.mark.slow
def test_a_file_that_becomes_shorter_on_its_way_ends_the_answer(running: Service) -> None:
    slug = running.post("/scripts", {"name": "Shrinking", "code": "pass\n"})["slug"]
    file = running.data / "scripts" / slug / "files" / "large"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"x" * 40 * MB)
    with connect(running, "GET", f"/api/v1/scripts/{slug}/files/large") as connection:
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
        os.truncate(file, 1000)
        assert len(all_of(connection)) < 40 * MB
    assert running.is_healthy()


@pytest.mark.slow
def test_a_log_that_nobody_takes_does_not_fill_the_memory(running: Service) -> None:
    run_id = running.run(running.make_script("Long log", "print()"))["id"]
    (log,) = (running.data / "runs").glob(f"*/{run_id}-*/output.log")
    log.write_bytes(RECORD * (LOG_MB * 2**20 // len(RECORD)))
    before = memory_mb(running.web_pid())
    path = f"/api/v1/runs/{run_id}/log"
    with (
        connect(running, "GET", path),
        connect(running, "GET", path, "Connection: close") as reader,
    ):
        assert len(all_of(reader)) > LOG_MB * 2**20 * 0.95  # the other one had as much time
        assert memory_mb(running.web_pid()) - before < LOG_MB / 2


@each_row(
    "path",
    [
        b"/scripts/a/files/",
        b"/scripts/a/files/?folder=x",
        b"/api/v1/scripts/a/files",
        b"/api/v1/scripts/a/files?x=1",
    ],
)
def test_an_upload_may_be_larger_than_other_bodies(path: bytes) -> None:
    assert ceiling(path) == (settings.MAX_UPLOAD_MB + 1) * MB > CEILING


@each_row(
    "path",
    [
        b"/",
        b"/scripts/a/",
        b"/scripts/a/files/x",
        b"/x/scripts/a/files/",
        b"/login/",
    ],
)
def test_no_other_address_takes_more(path: bytes) -> None:
    assert ceiling(path) == CEILING


@each_row(
    ("path", "most"),
    [
        (b"/api/v1/scripts", API_BYTES),
        (b"/api/v1/scripts/a?/files", API_BYTES),
        (b"/api/v1/scripts/a/runs", STRANGER_BYTES),
        (b"/api/v1/scripts/a/runs?x=1", STRANGER_BYTES),
        (b"/api/v1/runs/1/cancel", STRANGER_BYTES),
    ],
)
def test_an_operation_takes_what_it_needs(path: bytes, most: int) -> None:
    assert ceiling(path) == most


# --- before the caller is known ---------------------------------------------------------------------------------------
def stranger(service: Service, path: str, *headers: str) -> socket.socket:
    """A connection on which a stranger sent the head of a POST."""
    connection = socket.create_connection(("127.0.0.1", service.port), timeout=30)
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", *headers, "", ""]
    connection.sendall("\r\n".join(lines).encode())
    return connection


FORM = "Content-Type: application/x-www-form-urlencoded"
LARGE = f"Content-Length: {STRANGER_BYTES + 1}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/api/v1/scripts", [], b"401"),
        ("/api/v1/scripts", ["X-API-Key: unknown"], b"401"),
        ("/api/v1/scripts", ["Cookie: sessionid=unknown"], b"401"),
        ("/scripts/a/files/", [], b"302"),
        ("/login/", [FORM], b"302"),
    ],
)
def test_a_stranger_s_large_body_is_refused_unread(
    running: Service, path: str, headers: list[str], status: bytes
) -> None:
    with stranger(running, path, LARGE, *headers) as connection:
        answer = all_of(connection)
    assert answer.split()[1] == status
    assert b"unauthenticated" in answer or b"Location: /login/?next=/" in answer


@pytest.mark.slow
def test_a_stranger_s_body_in_chunks_is_read_no_further_than_64_kb(running: Service) -> None:
    chunk = b"%x\r\n%s\r\n" % (KB, b"a" * KB)
    with stranger(running, "/api/v1/scripts", "Transfer-Encoding: chunked") as connection:
        connection.sendall(chunk * 64)
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(30)
        connection.sendall(chunk)
        assert all_of(connection).startswith(b"HTTP/1.1 401 ")
    assert stored_bytes(running.web_pid()) == 0


@pytest.mark.slow
def test_a_small_form_of_a_stranger_is_still_read(running: Service) -> None:
    body = "username=a&password=b"
    length = f"Content-Length: {len(body)}"
    with stranger(running, "/login/", FORM, length, "Connection: close") as connection:
        connection.sendall(body.encode())
        assert all_of(connection).startswith(b"HTTP/1.1 403 Forbidden")  # Django read it


@pytest.mark.slow
@pytest.mark.parametrize("scope", ["read", "run"])
def test_a_weak_key_sends_no_large_body(running: Service, scope: str) -> None:
    token = manage(running.data, "createkey", f"weak-{scope}", "--scope", scope).strip()
    headers = (f"X-API-Key: {token}", LARGE)
    with stranger(running, "/api/v1/scripts", *headers) as connection:
        assert all_of(connection).startswith(b"HTTP/1.1 403 ")


@pytest.mark.slow
def test_a_run_takes_64_kb_whoever_starts_it(running: Service) -> None:
    with connect(running, "POST", "/api/v1/scripts/a/runs", LARGE) as connection:
        answer = all_of(connection)
    assert answer.startswith(b"HTTP/1.1 413 ") and b"at most 64 KB" in answer


@pytest.mark.slow
def test_a_whole_body_sent_at_once_waits_for_its_caller(running: Service) -> None:
    body = json.dumps({"name": "At once", "code": "#" * 100_000}).encode()
    head = ("Content-Type: application/json", f"Content-Length: {len(body)}", "Connection: close")
    with connect(running, "POST", "/api/v1/scripts", *head) as connection:
        connection.sendall(body)
        assert all_of(connection).startswith(b"HTTP/1.1 201 ")


class Halves(StringTransport):
    """A transport whose way out can be closed alone, as TCP's can."""

    def loseWriteConnection(self) -> None:
        self.disconnecting = True


def test_a_caller_that_cannot_be_looked_up_stays_a_stranger(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def broken(*_: object) -> int:
        raise OperationalError("database is locked")

    monkeypatch.setattr(body_limits, "status_of_caller", broken)
    server, transport = Server(), Halves()
    connection = BoundedFactory(server).buildProtocol(None)
    connection.makeConnection(transport)

    async def send_head() -> None:
        head = (
            f"POST /api/v1/scripts HTTP/1.1\r\nHost: localhost\r\nX-API-Key: a\r\n{LARGE}\r\n\r\n"
        )
        connection.dataReceived(head.encode())
        for _ in range(100):  # turns of the loop, not a time
            await asyncio.sleep(0)

    asyncio.run(send_head())
    assert transport.value().startswith(b"HTTP/1.1 503 ") and b"Retry-After" in transport.value()
    assert server.requests == []


def test_twisted_parses_no_form() -> None:
    server, body = Server(), b"a=b"
    connection = BoundedFactory(server).buildProtocol(None)
    connection.makeConnection(StringTransport())
    head = f"POST / HTTP/1.1\r\nHost: localhost\r\n{FORM}\r\nContent-Length: 3\r\n\r\n"
    connection.dataReceived(head.encode() + body)
    assert server.requests[0].args == {}


def test_a_connection_that_a_proxy_keeps_is_nobodys_between_two_requests(
    settings: Settings,
) -> None:
    settings.TRUSTED_PROXIES = [ipaddress.ip_network("10.0.0.5")]
    server, transport = Server(), StringTransport()
    address = IPv4Address("TCP", "10.0.0.5", 4711)
    transport.getPeer = lambda: address
    connections = BoundedConnections(BoundedFactory(server))
    connection = connections.buildProtocol(address)
    connection.makeConnection(transport)
    connection.dataReceived(GET.replace(b"\r\n\r\n", b"\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n"))
    held = connections.held_by("192.0.2.7")
    (request,) = server.requests
    request.handle_reply({"type": "http.response.start", "status": 200, "headers": []})
    part(request, more=False)
    assert (held, connections.held_by("192.0.2.7"), connection.client) == (1, 0, "")


def is_closed(connection: socket.socket) -> bool:
    """Whether the other side has closed it."""
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


@pytest.mark.slow
def test_one_address_holds_so_many_connections(running: Service) -> None:
    address, count = ("127.0.0.1", running.port), MAX_CONNECTIONS_OF_ADDRESS + 10
    connections = [socket.create_connection(address, timeout=30) for _ in range(count)]
    for connection in connections:
        connection.setblocking(False)
    try:
        wait_for(lambda: sum(map(is_closed, connections)) >= 10, what="the end of those too many")
        assert sum(map(is_closed, connections)) < 20
    finally:
        for connection in connections:
            connection.close()
    wait_for(running.is_healthy, what="health")
