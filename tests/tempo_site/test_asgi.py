"""The ASGI application without a server: origins of sockets, threads of requests, health."""

import asyncio
import json
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.http import StreamingHttpResponse

from tempo_site import asgi, health
from tempo_site.lib import origins
from tests.rows import each_row


@each_row(
    ("origin", "host", "allowed"),
    [
        ("http://tower.local:8000", "tower.local:8000", True),
        ("https://tempo.example.org", "tempo.example.org", True),
        ("http://TOWER.local:8000", "tower.local:8000", True),
        ("http://tower.local:9000", "tower.local:8000", False),
        ("http://evil.com", "tower.local:8000", False),
        ("null", "tower.local:8000", False),
        ("", "tower.local:8000", False),
        ("http://tower.local:8000@evil.com", "tower.local:8000", False),
    ],
)
def test_a_websocket_needs_a_page_of_the_same_host_and_port(
    origin: str, host: str, allowed: bool
) -> None:
    assert origins.is_own(origin, host=host, is_secure=False) is allowed


@pytest.mark.parametrize("ended_first", [0, 1])
def test_a_request_is_given_the_thread_that_fewest_use(
    monkeypatch: pytest.MonkeyPatch, ended_first: int
) -> None:
    threads = [ThreadPoolExecutor(1), ThreadPoolExecutor(1)]
    monkeypatch.setattr(asgi, "_users", dict.fromkeys(threads, 0))

    async def scene() -> list[int]:
        gates = [asyncio.Event() for _ in range(4)]

        async def page(scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
            await gates[scope["number"]].wait()

        monkeypatch.setattr(asgi, "_django", page)
        requests = [
            asyncio.ensure_future(asgi._page({"number": number}, silent, silent))
            for number in range(4)
        ]
        await asyncio.sleep(0)
        crowded = [*asgi._users.values()]
        gates[ended_first].set()
        await requests[ended_first]
        left = [*asgi._users.values()]
        for gate in gates:
            gate.set()
        await asyncio.gather(*requests)
        return [*crowded, *sorted(left), *asgi._users.values()]

    assert asyncio.run(scene()) == [2, 2, 1, 2, 0, 0]


class CountedThread(ThreadPoolExecutor):
    """Knows how often it was asked to do something."""

    count = 0

    def submit(self, *args: Any, **kwargs: Any) -> Any:
        """Count, and do it."""
        self.count += 1
        return super().submit(*args, **kwargs)


def test_a_request_enters_its_thread_once(monkeypatch: pytest.MonkeyPatch) -> None:
    thread = CountedThread(1)
    monkeypatch.setattr(asgi, "_users", {thread: 0})
    sent = asyncio.run(messages_of_page("/api/v1/nowhere", leaves=asyncio.Event()))
    assert [message.get("status") for message in sent] == [404, None]
    assert thread.count == 1


def test_a_client_that_leaves_ends_an_answer_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    response = StreamingHttpResponse(endless())
    monkeypatch.setattr(asgi._django, "get_response", lambda request: response)

    async def scene() -> list[dict[str, Any]]:
        leaves = asyncio.Event()
        page = asyncio.ensure_future(messages_of_page("/", leaves=leaves))
        await asyncio.sleep(0)
        leaves.set()
        return await asyncio.wait_for(page, 30)

    assert asyncio.run(scene())[-1].get("more_body", True)
    assert response.closed


async def endless() -> AsyncIterator[bytes]:
    """Parts of an answer without end."""
    while True:
        yield b"more"
        await asyncio.sleep(0)


async def messages_of_page(path: str, *, leaves: asyncio.Event) -> list[dict[str, Any]]:
    """What is sent to a client that stays until `leaves`."""
    asked = iter([{"type": "http.request"}])
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        for message in asked:
            return message
        await leaves.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "headers": [(b"host", b"127.0.0.1")]}
    await asgi.application({**scope, "scheme": "http"}, receive, send)
    return sent


async def silent(*_: Any) -> None:
    """Receive or send nothing."""


def answer_of_healthz() -> tuple[int, dict[str, Any]]:
    """(status, body) as the router answers it."""
    start, body = messages_of_healthz()
    return start["status"], json.loads(body["body"])


def messages_of_healthz() -> list[dict[str, Any]]:
    """What the router sends."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def ask() -> None:
        await asgi.application({"type": "http", "path": "/healthz", "headers": []}, send, send)  # type: ignore[arg-type]

    asyncio.run(ask())
    return sent


class Engine:
    """Says of itself what a test wants."""

    def __init__(self, **parts: str) -> None:
        self.parts = parts

    def health(self) -> dict[str, str]:
        """The parts."""
        return self.parts


def test_healthz_says_ok(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_engine", Engine(database="ok", ticker="ok"))
    assert answer_of_healthz() == (
        200,
        {"status": "ok", "failing": [], "parts": {"database": "ok", "ticker": "ok"}},
    )


def test_healthz_names_the_failing_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_engine", Engine(database="ok", ticker="not seen for 30 s"))
    status, body = answer_of_healthz()
    assert (status, body["failing"]) == (503, ["ticker"])


def test_healthz_is_not_ok_without_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_engine", None)
    assert answer_of_healthz()[0] == 503


def test_healthz_is_taken_for_json_alone_and_kept_by_nobody() -> None:
    headers = dict(messages_of_healthz()[0]["headers"])
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert headers[b"cache-control"] == b"no-store"


@each_row("path", ["/ws/", "/ws/nothing/", "/ws/runs/x/", "/"])
def test_a_socket_where_there_is_none_is_refused_without_a_word(path: str) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": path, "headers": []}
    asyncio.run(asgi.application(scope, silent, send))
    assert sent == [{"type": "websocket.close", "code": 4403}]
