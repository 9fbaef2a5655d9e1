"""The live output of a run, consumer by consumer: what a page may ask, and what it gets."""

import asyncio
import json
import math
import time
from collections.abc import Awaitable, Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from channels import layers
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator

from runs_app import consumers
from runs_app.models import Run
from runs_app.output import live
from runs_app.routing import websocket_urlpatterns
from runs_app.states import Reason, Status
from tempo_site import auth
from tempo_site.accounts.keys import KeyLimits
from tempo_site.lib import paths
from tests.factories import make_run, make_script

pytestmark = pytest.mark.django_db

FOLDER = "2026-11/1-abcdef12"
STORED = b"1000 O F first\n1001 E F caf\xe9\n"
LIMIT_S = 5.0

Talk = Callable[[WebsocketCommunicator], Awaitable[Any]]


@pytest.fixture(autouse=True)
def nobody_watches() -> Iterator[None]:
    """What one test leaves behind must not be shown by the next."""
    yield
    live._tails.clear()


def written(content: bytes = STORED, **fields: Any) -> Run:
    """A final run with this log."""
    run = make_run(make_script(), **{"status": Status.SUCCEEDED, "folder": FOLDER, **fields})
    folder = paths.run_folder(FOLDER)
    folder.mkdir(parents=True)
    (folder / "output.log").write_bytes(content)
    return run


def talk(path: str, body: Talk) -> Any:
    """Open a WebSocket at `path`, let `body` talk, close it; returns what `body` returned."""

    async def whole() -> Any:
        live.attach(asyncio.get_running_loop())
        socket = WebsocketCommunicator(URLRouter(websocket_urlpatterns), path)
        socket.scope["caller"] = auth.Caller(name="user 1")
        accepted, _ = await socket.connect(LIMIT_S)
        assert accepted
        try:
            return await body(socket)
        finally:
            await socket.disconnect()
            live.detach()

    return async_to_sync(whole)()


async def frame(socket: WebsocketCommunicator) -> tuple[dict[str, Any], str]:
    """The next frame: header and records."""
    message = await socket.receive_from(LIMIT_S)
    head, _, body = message.partition("\n")
    return json.loads(head), body


async def all_frames(socket: WebsocketCommunicator) -> list[tuple[dict[str, Any], str]]:
    """Every frame up to the end, acknowledged as they come."""
    found = []
    while True:
        found.append(await frame(socket))
        head = found[-1][0]
        if head["t"] == "end":
            return found
        if head["t"] == "o":
            await socket.send_to(json.dumps({"a": head["n"]}))


async def close_code(socket: WebsocketCommunicator) -> int:
    """The code with which the service closes the connection."""
    message = await socket.receive_output(LIMIT_S)
    assert message["type"] == "websocket.close", message
    return int(message["code"])


def test_a_final_run_is_told_shown_and_ended() -> None:
    run = written()
    frames = talk(f"/ws/runs/{run.pk}/", all_frames)
    assert [head["t"] for head, _ in frames] == ["status", "o", "end"]
    assert frames[0][0]["run"]["status"] == "succeeded"


def test_bytes_that_are_no_text_are_shown_as_such_and_offsets_count_bytes() -> None:
    run = written()
    head, body = talk(f"/ws/runs/{run.pk}/", all_frames)[1]
    assert head == {"t": "o", "o": 0, "n": len(STORED)}
    assert body == "1000 O F first\n1001 E F caf\N{REPLACEMENT CHARACTER}\n"


def test_a_run_that_never_began_ends_at_once() -> None:
    run = make_run(make_script(), status=Status.SKIPPED, reason=Reason.OVERLAP)
    assert [head["t"] for head, _ in talk(f"/ws/runs/{run.pk}/", all_frames)] == ["status", "end"]


def test_an_offset_at_the_end_gets_the_end_alone() -> None:
    run = written()
    frames = talk(f"/ws/runs/{run.pk}/?offset={len(STORED)}", all_frames)
    assert [head["t"] for head, _ in frames] == ["status", "end"]


def test_an_unknown_run_is_refused_with_its_code() -> None:
    assert talk("/ws/runs/4711/", close_code) == consumers.NOT_FOUND


@pytest.mark.parametrize("offset", ["-1", "x", "1.5", "0x10", "9" * 30, "9" * 5000])
def test_an_impossible_offset_is_refused_with_its_code(offset: str) -> None:
    run = written()
    assert talk(f"/ws/runs/{run.pk}/?offset={offset}", close_code) == consumers.BAD_OFFSET


@pytest.mark.parametrize(
    "nonsense",
    [
        "x",
        "[]",
        "{}",
        '"a"',
        '{"a": null}',
        '{"a": "x"}',
        '{"a": -5}',
        '{"a": 1e999}',
        "[" * 100_000,
    ],
)
def test_a_nonsensical_acknowledgement_is_ignored(nonsense: str) -> None:
    # more than may be under way
    stored = b"".join(b"1000 O F %060d\n" % number for number in range(6000))
    run = written(stored)

    async def body(socket: WebsocketCommunicator) -> list[tuple[dict[str, Any], str]]:
        await socket.send_to(nonsense)
        return await all_frames(socket)

    frames = talk(f"/ws/runs/{run.pk}/", body)
    assert "".join(text for _, text in frames) == stored.decode()


def test_an_acknowledgement_in_bytes_is_ignored() -> None:
    run = written()

    async def body(socket: WebsocketCommunicator) -> list[tuple[dict[str, Any], str]]:
        await socket.send_to(bytes_data=b"\xff{")
        return await all_frames(socket)

    assert len(talk(f"/ws/runs/{run.pk}/", body)) == 3


def test_a_run_that_begins_while_its_viewer_connects_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = written(status=Status.RUNNING)
    queued = Run(pk=run.pk, script=run.script, status=Status.QUEUED, created_at=run.created_at)
    honest = consumers.find
    answers = [queued]  # as the row was at the first look, before the viewer had joined

    async def find(run_id: int, limits: KeyLimits | None) -> Run | None:
        return answers.pop() if answers else await honest(run_id, limits)

    monkeypatch.setattr(consumers, "find", find)

    async def body(socket: WebsocketCommunicator) -> str:
        await frame(socket)
        return (await frame(socket))[1]

    assert talk(f"/ws/runs/{run.pk}/", body).startswith("1000 O F first\n")


def test_the_last_viewer_closes_the_log() -> None:
    run = written(status=Status.RUNNING)

    async def body(socket: WebsocketCommunicator) -> bool:
        await frame(socket)
        return run.pk in live._tails

    assert talk(f"/ws/runs/{run.pk}/", body)
    assert run.pk not in live._tails


def test_a_second_viewer_shares_the_open_log() -> None:
    run = written(status=Status.RUNNING)

    async def second(socket: WebsocketCommunicator) -> int:
        other = WebsocketCommunicator(URLRouter(websocket_urlpatterns), f"/ws/runs/{run.pk}/")
        other.scope["caller"] = auth.Caller(name="user 2")
        await other.connect(LIMIT_S)
        await frame(socket)
        await frame(other)
        count = len(live._tails[run.pk].wakes)
        await other.disconnect()
        return count

    assert talk(f"/ws/runs/{run.pk}/", second) == 2


def test_facts_of_runs_reach_the_pages_that_show_lists() -> None:
    run = written()

    async def body(socket: WebsocketCommunicator) -> dict[str, Any]:
        live._tell(run)
        return (await frame(socket))[0]

    head = talk("/ws/events/", body)
    assert (head["t"], head["run"]["id"], head["run"]["status"]) == ("run", run.pk, "succeeded")
    assert "folder" not in head["run"], "its random part keeps a guess from finding a log"


def test_a_page_that_is_open_for_a_month_still_hears(monkeypatch: pytest.MonkeyPatch) -> None:
    run = written()
    in_a_month = time.time() + 31 * 86400

    async def body(socket: WebsocketCommunicator) -> str:
        monkeypatch.setattr(layers, "time", SimpleNamespace(time=lambda: in_a_month))
        live._tell(run)
        await frame(socket)  # the layer looks for members to drop when somebody receives
        live._tell(run)
        return str((await frame(socket))[0]["t"])

    assert talk("/ws/events/", body) == "run"


@pytest.mark.parametrize(
    ("age", "is_missed"),
    [("60000", True), ("0", False), ("-1", False), ("x", False), ("9" * 4000, False)],
)
def test_a_page_hears_that_it_missed_a_fact_since_it_was_asked_for(
    age: str, is_missed: bool
) -> None:
    run = written()

    async def body(socket: WebsocketCommunicator) -> list[str]:
        live._tell(run)
        await frame(socket)  # the one that listens already hears of it
        late = WebsocketCommunicator(URLRouter(websocket_urlpatterns), f"/ws/events/?age={age}")
        late.scope["caller"] = auth.Caller(name="user 2")
        await late.connect(LIMIT_S)
        live._tell(run)
        heard = [(await frame(late))[0]["t"]]
        if heard == ["missed"]:
            heard.append((await frame(late))[0]["t"])
        await late.disconnect()
        return heard

    assert talk("/ws/events/", body) == (["missed"] if is_missed else []) + ["run"]


def test_a_fact_that_nobody_listens_for_is_made_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Run] = []
    monkeypatch.setattr(live, "status_event", made.append)
    run = written()

    async def body(socket: WebsocketCommunicator) -> bool:
        live._tell(run)
        return bool(await socket.receive_nothing(0.01))

    talk(f"/ws/runs/{run.pk + 1}/", body)
    assert not made
    assert live.was_told_within(60), "a page that is on its way asks for it"


def test_a_page_that_missed_nothing_is_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_last_fact_at", -math.inf)

    async def body(socket: WebsocketCommunicator) -> bool:
        return bool(await socket.receive_nothing())

    assert talk("/ws/events/?age=60000", body)
