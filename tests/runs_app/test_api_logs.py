"""The API's text of a run: parts of it, and followed to the end of the run."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client

from runs_app.models import Run
from runs_app.output import following, live
from runs_app.output.log import LOG
from runs_app.states import Status
from tempo_site.lib import paths
from tests.factories import make_run, make_script

pytestmark = pytest.mark.django_db

STORED = (
    b"1000 O F one\n1001 E F two\n1002 S F Output was left out here\n1003 O P thr\n1004 O F ee\r\n"
)
TEXT = b"one\ntwo\n[Tempo: Output was left out here]\nthree\r\n"
FOLDER = "2026-11/1-abcdef"
LIMIT_S = 10.0


@pytest.fixture(autouse=True)
def nobody_watches() -> Iterator[None]:
    """What one test leaves behind must not be shown by the next."""
    yield
    live._tails.clear()
    following._followers.clear()


def written(content: bytes = STORED, status: str = Status.SUCCEEDED) -> Run:
    """A run with a log."""
    run = make_run(make_script("Hello"), folder=FOLDER, status=status)
    paths.run_folder(FOLDER).mkdir(parents=True)
    (paths.run_folder(FOLDER) / LOG).write_bytes(content)
    return run


def read(client: Client, run: Run, query: str = "", **headers: str) -> Any:
    return client.get(f"/api/v1/runs/{run.pk}/log{query}", headers=headers)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("?from_line=2", b"two\n[Tempo: Output was left out here]\nthree\r\n"),
        ("?tail=1", b"three\r\n"),
        ("?tail=100000", TEXT),
        ("?stream=stdout", b"one\n[Tempo: Output was left out here]\nthree\r\n"),
        ("?stream=stderr", b"two\n[Tempo: Output was left out here]\n"),
        ("?stream=stderr&tail=1", b"[Tempo: Output was left out here]\n"),
        ("?stream=", TEXT),
    ],
)
def test_a_part_of_the_text(program: Client, query: str, text: bytes) -> None:
    assert b"".join(read(program, written(), query)) == text


@pytest.mark.parametrize(
    "query",
    ["?tail=0", "?tail=100001", "?from_line=0", "?stream=both", "?tail=1&from_line=2", "?tails=1"],
)
def test_what_is_no_part_is_refused(program: Client, query: str) -> None:
    assert read(program, written(), query).status_code == 422


def test_bytes_of_the_text(program: Client) -> None:
    run = written()
    assert read(program, run).headers["Accept-Ranges"] == "bytes"
    answer = read(program, run, Range="bytes=4-6")
    assert (answer.status_code, b"".join(answer)) == (206, b"two")
    assert answer.headers["Content-Range"] == f"bytes 4-6/{len(TEXT)}"
    beyond = read(program, run, Range="bytes=1000-")
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, f"bytes */{len(TEXT)}")
    assert beyond.json()["error"]["code"] == "out_of_range"


async def whole(path: str, key: str, **headers: str) -> tuple[Any, bytes]:
    """An answer as the ASGI server gets it, and its content."""
    response: Any = await AsyncClient().get(path, headers={"x-api-key": key, **headers})
    return response, b"".join([part async for part in response])


def test_following_a_run_that_has_ended_gives_its_text(key: str) -> None:
    run = written()
    response, text = async_to_sync(whole)(f"/api/v1/runs/{run.pk}/log?follow=1&from_line=2", key)
    assert text == TEXT.partition(b"\n")[2]
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert response.headers["X-Accel-Buffering"] == "no"


def test_events_are_lines_with_their_offset_and_one_says_the_end(key: str) -> None:
    run = written()
    path, accept = f"/api/v1/runs/{run.pk}/log", "text/event-stream"
    response, sent = async_to_sync(whole)(path, key, accept=accept)
    assert response.headers["Content-Type"] == "text/event-stream"
    found = events(sent)
    assert found[0] == {
        "id": "13",
        "event": "output",
        "data": {
            "at": "1970-01-01T00:00:01.000Z",
            "stream": "stdout",
            "text": "one",
            "is_line": True,
        },
    }
    texts = [event["data"]["text"] for event in found if event["event"] == "output"]
    assert texts == ["one", "two", "thr", "ee\r"]
    assert found[-1]["data"] == {"status": "succeeded", "reason": "", "exit_code": None}
    again = async_to_sync(whole)(path, key, accept=accept, last_event_id="26")[1]
    assert events(again) == found[2:]


def events(sent: bytes) -> list[dict[str, Any]]:
    """Server-sent events as dictionaries."""
    found = []
    for block in sent.decode().removesuffix("\n\n").split("\n\n"):
        event: dict[str, Any] = dict(line.split(": ", 1) for line in block.split("\n"))
        event["data"] = json.loads(event["data"])
        found.append(event)
    return found


def test_what_is_written_meanwhile_comes_at_once_and_the_end_of_the_run_is_the_end() -> None:
    run = written(b"1000 O F one\n", Status.RUNNING)

    async def scene() -> list[bytes]:
        text = following.text(run, is_welcome=lambda: True)
        seen = [await next_of(text)]
        with (paths.run_folder(FOLDER) / LOG).open("ab") as log:
            log.write(b"1001 O F two\n")
        live._tails[run.pk].wake()
        seen.append(await next_of(text))
        live._tails[run.pk].final = True
        live._tails[run.pk].wake()
        return [*seen, *[part async for part in text]]

    assert async_to_sync(scene)() == [b"one\n", b"two\n"]
    assert not live._tails and not following._followers


def test_a_reader_who_goes_away_is_forgotten() -> None:
    run = written(b"1000 O F one\n", Status.RUNNING)

    async def scene() -> None:
        text: Any = following.text(run, is_welcome=lambda: True)
        await next_of(text)
        waiting = asyncio.ensure_future(anext(text))
        while not following._followers:
            await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await text.aclose()

    async_to_sync(scene)()
    assert not live._tails and not following._followers


def test_a_reader_whose_key_is_revoked_hears_no_more(settings: Any) -> None:
    settings.SOCKET_RECHECK_S = 0.01
    run = written(b"1000 O F one\n", Status.RUNNING)
    answers = iter([True, False])

    async def scene() -> bytes:
        return b"".join(
            [part async for part in following.text(run, is_welcome=lambda: next(answers))]
        )

    assert async_to_sync(scene)() == b"one\n"
    assert list(answers) == []


def test_so_many_may_follow_and_no_more(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "MAX_FOLLOWERS", 0)
    run = written()
    path = f"/api/v1/runs/{run.pk}/log?follow=1"
    response: Any = async_to_sync(AsyncClient().get)(path, headers={"x-api-key": key})
    assert response.status_code == 503
    assert "Too many" in response.json()["error"]["message"]


async def next_of(text: AsyncIterator[bytes]) -> bytes:
    """The next part, which has to come in time."""
    following_part: Callable[[], Any] = text.__anext__
    part: bytes = await asyncio.wait_for(following_part(), LIMIT_S)
    return part
