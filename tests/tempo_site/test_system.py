"""The machine, as the API and the frame of the pages tell of it."""

from typing import Any

import psutil
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from runs_app.states import Status
from tempo_site import health
from tempo_site.pages import frame
from tests.factories import make_run, make_script

pytestmark = pytest.mark.django_db


def ask(key: str) -> Any:
    return (
        Client(headers={"host": "localhost", "authorization": f"Bearer {key}"})
        .get("/api/v1/system")
        .json()
    )


def test_it_tells_of_the_machine(key: str) -> None:
    answer = ask(key)
    assert answer["memory"]["total_mb"] == psutil.virtual_memory().total // 2**20
    assert (
        answer["disk"]["total_mb"] >= answer["disk"]["free_mb"] > 0 and not answer["disk"]["is_low"]
    )
    assert answer["cores"] >= 1 and len(answer["load"]) == 3


def test_it_counts_runs_against_the_most_there_may_be(key: str, settings: Settings) -> None:
    settings.MAX_CONCURRENT_RUNS = 7
    script = make_script()
    for status in (Status.RUNNING, Status.STARTING, Status.QUEUED, Status.FAILED):
        make_run(script, status=status)
    assert ask(key)["runs"] == {"under_way": 2, "queued": 1, "most": 7}


def test_it_says_what_the_engine_knows_and_nothing_without_one(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = ask(key)
    assert answer["cpu_percent"] is None and answer["isolation"] == {"grade": "", "why": ""}
    monkeypatch.setattr(health, "cpu_percent", lambda: 12.5)
    monkeypatch.setattr(
        health,
        "isolation",
        lambda: {"grade": "strong", "why": "own user and Landlock", "landlock": 5},
    )
    answer = ask(key)
    assert answer["cpu_percent"] == 12.5
    assert answer["isolation"] == {"grade": "strong", "why": "own user and Landlock"}


def test_it_is_one_query_beside_the_keys(key: str) -> None:
    ask(key)  # notes the use of the key
    with CaptureQueriesContext(connection) as captured:
        ask(key)
    assert len(captured) <= 2  # the key, the runs


def test_a_disk_below_its_floor_is_a_banner_of_its_own() -> None:
    parts = {
        "disk": "only 300 MB are free on the disk of the data folder, the floor is 500 MB",
        "engine": "ok",
    }
    state = {"status": "failing", "failing": ["disk"], "parts": parts}
    assert frame.notices(state, is_staff=False) == [f"No new run starts: {parts['disk']}."]


def test_the_dashboard_shows_how_busy_the_machine_is(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "CPU in use" not in browser.get("/").content.decode()
    monkeypatch.setattr(health, "cpu_percent", lambda: 41.3)
    assert "CPU <b>41 %</b>" in browser.get("/").content.decode()
