"""WebSockets by key: a limited one hears of its scripts alone, and nobody holds more than fifty."""

import json
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from channels.testing import WebsocketCommunicator

from runs_app import consumers
from runs_app.output import live
from runs_app.states import Status
from scripts_app import reach
from tempo_site import asgi
from tempo_site.models import ApiKey
from tests.factories import make_run, make_script

pytestmark = pytest.mark.django_db
LIMIT_S = 5.0


@pytest.fixture(autouse=True)
def connection_of_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Channels closes the database behind each question; the test's own has to stay."""
    monkeypatch.setattr("channels.db.close_old_connections", lambda: None)


def socket(path: str, token: str) -> WebsocketCommunicator:
    headers = [(b"host", b"localhost"), (b"x-api-key", token.encode())]
    found = WebsocketCommunicator(asgi.application, path, headers=headers)
    found.scope["scheme"] = "ws"
    return found


def limited_key(slug: str) -> str:
    limits = reach.named([slug], [])
    return ApiKey.issue(name="limited", is_limited=True, script_ids=sorted(limits.scripts))[1]


def test_a_limited_key_follows_a_run_of_its_script_and_finds_no_other() -> None:
    ours, theirs = make_script("Ours"), make_script("Theirs")
    runs = [make_run(script, status=Status.SKIPPED) for script in (ours, theirs)]
    token = limited_key("ours")

    async def first(pk: int) -> Any:
        talk = socket(f"/ws/runs/{pk}/", token)
        await talk.connect(LIMIT_S)
        message = await talk.receive_output(LIMIT_S)
        await talk.disconnect()
        return message

    shown, hidden = [async_to_sync(first)(run.pk) for run in runs]
    assert json.loads(shown["text"])["t"] == "status"
    assert (hidden["type"], hidden["code"]) == ("websocket.close", consumers.NOT_FOUND)


def test_a_limited_key_hears_of_its_scripts_alone() -> None:
    facts = [live.status_event(make_run(make_script(name))) for name in ("Theirs", "Ours")]
    facts.insert(0, live.status_event(make_run(None)))
    token = limited_key("ours")

    async def heard() -> Any:
        talk = socket("/ws/events/", token)
        await talk.connect(LIMIT_S)
        for fact in facts:
            await get_channel_layer().group_send(live.EVENTS, {"type": "fact", "run": fact})
        message = await talk.receive_from(LIMIT_S)
        is_silent = await talk.receive_nothing()
        await talk.disconnect()
        return json.loads(message)["run"]["script"], is_silent

    assert async_to_sync(heard)() == ("ours", True)


def test_a_key_holds_no_more_than_fifty_sockets_and_another_is_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asgi, "MAX_SOCKETS", 1)
    tokens = [ApiKey.issue(name=name, scope="read")[1] for name in ("one", "two")]

    async def scene() -> list[bool]:
        first, second, other = (socket("/ws/events/", tokens[number]) for number in (0, 0, 1))
        accepted = [(await each.connect(LIMIT_S))[0] for each in (first, second, other)]
        await first.disconnect()
        again = socket("/ws/events/", tokens[0])
        accepted.append((await again.connect(LIMIT_S))[0])
        await other.disconnect()
        await again.disconnect()
        return accepted

    assert async_to_sync(scene)() == [True, False, True, True]
    assert not asgi._sockets
