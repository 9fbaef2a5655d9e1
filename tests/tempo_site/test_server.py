"""The web process, as far as it can be seen without starting one: reload, origins, health."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tempo_site import asgi, health, server


def test_a_changed_file_is_noticed() -> None:
    known = {Path("/a.py"): 1.0}
    assert server.is_changed(known, {Path("/a.py"): 2.0})


def test_a_module_imported_later_is_no_change() -> None:
    known = {Path("/a.py"): 1.0}
    assert not server.is_changed(known, {Path("/a.py"): 1.0, Path("/b.py"): 1.0})
    assert server.is_changed(known, {Path("/b.py"): 2.0})


@pytest.mark.parametrize(
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
def test_a_websocket_needs_a_page_of_the_same_host_and_port(origin: str, host: str, allowed: bool) -> None:
    assert asgi.is_same_origin({"origin": origin, "host": host}) is allowed


def answer_of_healthz() -> tuple[int, dict[str, Any]]:
    """(status, body) as the router answers it."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def ask() -> None:
        await asgi.application({"type": "http", "path": "/healthz", "headers": []}, send, send)  # type: ignore[arg-type]

    asyncio.run(ask())
    return sent[0]["status"], json.loads(sent[1]["body"])


class Engine:
    """Says of itself what a test wants."""

    def __init__(self, **parts: str) -> None:
        self.parts = parts

    def health(self) -> dict[str, str]:
        """The parts."""
        return self.parts


def test_healthz_says_ok(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_engine", Engine(database="ok", ticker="ok"))
    assert answer_of_healthz() == (200, {"status": "ok", "failing": [], "parts": {"database": "ok", "ticker": "ok"}})


def test_healthz_names_the_failing_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_engine", Engine(database="ok", ticker="not seen for 30 s"))
    status, body = answer_of_healthz()
    assert (status, body["failing"]) == (503, ["ticker"])


def test_healthz_is_not_ok_without_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_engine", None)
    assert answer_of_healthz()[0] == 503
