"""A run's open log, shared by its viewers."""

import asyncio

import pytest
from asgiref.sync import async_to_sync
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator

from runs_app import consumers
from runs_app.models import Run
from runs_app.output import live
from runs_app.routing import websocket_urlpatterns
from runs_app.states import Status
from tempo_site import auth
from tempo_site.accounts.keys import KeyLimits
from tempo_site.lib import paths
from tests.factories import make_run, make_script

FOLDER = "2026-11/1-abcdef12"
STORED = b"1000 O F first\n"
LIMIT_S = 5.0


def write_log() -> None:
    """A run folder with output."""
    paths.run_folder(FOLDER).mkdir(parents=True)
    (paths.run_folder(FOLDER) / "output.log").write_bytes(STORED)


def test_a_queued_run_has_nothing_to_read_until_it_has_a_folder() -> None:
    write_log()
    tail = live.LiveTail("")
    assert (tail.size(), tail.read(0)) == (0, b"")
    tail.follow(FOLDER)
    assert (tail.size(), tail.read(0)) == (len(STORED), STORED)
    tail.close()


def test_a_folder_that_is_known_stays() -> None:
    tail = live.LiveTail(FOLDER)
    tail.follow("")
    assert tail.path == paths.run_folder(FOLDER) / "output.log"


@pytest.mark.django_db
def test_a_run_that_began_while_its_viewer_connected_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_log()
    run = make_run(make_script())
    rows = [
        run,
        Run(
            pk=run.pk,
            script=run.script,
            status=Status.RUNNING,
            folder=FOLDER,
            created_at=run.created_at,
        ),
    ]

    async def find(_: int, limits: KeyLimits | None) -> Run:
        return rows.pop(0)

    monkeypatch.setattr(consumers, "find", find)
    assert async_to_sync(second_frame)(run.pk).endswith("first\n")


async def second_frame(run_id: int) -> str:
    """What follows the status."""
    socket = WebsocketCommunicator(URLRouter(websocket_urlpatterns), f"/ws/runs/{run_id}/")
    socket.scope["caller"] = auth.Caller(name="user 1")
    await socket.connect(LIMIT_S)
    try:
        await socket.receive_from(LIMIT_S)
        return str(await socket.receive_from(LIMIT_S))
    finally:
        await socket.disconnect()
        await asyncio.sleep(0)
