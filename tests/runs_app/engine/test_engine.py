"""The engine: one a data folder, threads that go on, health that names what fails."""

import os
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from runs_app import launcher_client
from runs_app.admission import admission
from runs_app.engine import duties, engine, self_check, ticker_thread
from runs_app.engine.engine import DataFolderInUse, Engine
from runs_app.scheduler import ticker
from scripts_app.versions import drafts
from tempo_site.lib import waking_broker
from tests.factories import NOW, make_script
from tests.rows import each_row
from tests.service import wait_for


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """An engine that was not started; threads given to it end with the test."""
    monkeypatch.setattr(engine, "PAUSE_AFTER_ERROR_S", 0.001)
    engine_ = Engine()
    yield engine_
    engine_._stopping.set()
    for thread in engine_._threads.values():
        thread.join(10)


def healthy(engine_: Engine) -> dict[str, Any]:
    """Let an engine that was not started believe that all is well; returns what it says then."""
    engine_.settler.self_check.findings = dict.fromkeys(self_check.PARTS, "ok")
    engine_.ticker.last_pass_at = engine_.settler.last_pass_at = time.monotonic()
    return engine_.health()


def test_a_function_that_returns_is_called_again(idle: Engine) -> None:
    calls: list[int] = []
    idle._spawn("monitor", lambda: calls.append(1))
    wait_for(lambda: len(calls) >= 3, what="three calls")


def test_a_function_that_raises_is_called_again(idle: Engine) -> None:
    calls: list[int] = []

    def fail() -> None:
        calls.append(1)
        raise RuntimeError("broken")

    idle._spawn("pusher", fail)
    wait_for(lambda: len(calls) >= 3, what="three calls")
    assert idle._threads["pusher"].is_alive()


def test_a_function_that_returns_while_stopping_is_not(idle: Engine) -> None:
    calls: list[int] = []
    idle._stopping.set()
    idle._spawn("pusher", lambda: calls.append(1))
    idle._threads["pusher"].join(10)
    assert calls == [1]


@each_row(
    ("wait", "expected_s"),
    [
        (timedelta(seconds=1.5), 1.5),
        (timedelta(hours=1), ticker_thread.MAX_SLEEP_S),
        (timedelta(0), 0.0),
        (timedelta(seconds=-30), 0.0),
    ],
)
def test_the_ticker_sleeps_until_the_alarm_and_never_long(
    wait: timedelta, expected_s: float
) -> None:
    assert ticker_thread.seconds_until(NOW + wait, NOW) == expected_s


def test_without_an_alarm_the_ticker_looks_now_and_then() -> None:
    assert ticker_thread.seconds_until(None, NOW) == ticker_thread.MAX_SLEEP_S


def test_a_second_engine_is_refused_the_data_folder(data_folder: Path) -> None:
    lock = engine.take_lock(wait_s=0)
    with pytest.raises(DataFolderInUse, match=str(data_folder)):
        engine.take_lock(wait_s=0.05)
    os.close(lock)


def test_an_engine_waits_for_a_predecessor_that_goes_down() -> None:
    lock = engine.take_lock(wait_s=0)
    found: list[int] = []
    waiting = threading.Thread(target=lambda: found.append(engine.take_lock(wait_s=10)))
    waiting.start()
    assert found == []
    os.close(lock)
    waiting.join(10)
    assert len(found) == 1 and engine.is_running()
    os.close(found[0])


def test_whether_an_engine_runs_is_told_without_disturbing_it() -> None:
    assert not engine.is_running()
    lock = engine.take_lock(wait_s=0)
    assert engine.is_running()
    with pytest.raises(DataFolderInUse):
        engine.take_lock(wait_s=0)
    os.close(lock)
    assert not engine.is_running()


def test_an_engine_with_nothing_wrong_is_healthy(idle: Engine) -> None:
    assert set(healthy(idle).values()) == {"ok"}


def test_an_engine_that_has_looked_at_nothing_yet_is_not(idle: Engine) -> None:
    parts = idle.health()
    assert {name for name, state in parts.items() if state != "ok"} == {
        "database",
        "ticker",
        "settler",
        "launcher",
        "disk",
        "folders",
        "files",
        "queue",
    }


def test_health_names_a_thread_that_ended(idle: Engine) -> None:
    idle._stopping.set()
    idle._spawn("worker-1", lambda: None)
    idle._threads["worker-1"].join(10)
    assert "worker-1" in healthy(idle)["engine"]


def test_health_names_a_ticker_that_stands_still(idle: Engine) -> None:
    healthy(idle)
    idle.ticker.last_pass_at = time.monotonic() - engine.MAX_SILENCE_S - 1
    parts = idle.health()
    assert [name for name, state in parts.items() if state != "ok"] == ["ticker"]


def test_each_failure_of_a_thread_s_duties_is_logged(
    idle: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        idle._stopping.set()
        raise ExceptionGroup("duties failed", [OSError("disk gone"), ValueError("a defect")])

    idle._keep_going("ticker", fail)
    lines = [record.getMessage().partition(": ")[2] for record in caplog.records]
    assert lines == ["disk gone", "a defect"]


@pytest.mark.django_db
def test_a_ticker_that_never_rests_is_well_and_keeps_house(
    idle: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More schedules than it can serve: moments are late, and nobody takes it for dead."""
    steps: list[int] = []
    kept_house: list[object] = []

    def step(**_: object) -> int:
        steps.append(len(steps))
        if len(steps) == 3:
            idle._stopping.set()
        return 1

    monkeypatch.setattr(ticker, "next_moment_at", lambda *, now: now)
    monkeypatch.setattr(ticker, "step", step)
    monkeypatch.setattr(duties, "q2_scheduler", kept_house.append)
    idle.ticker.run()
    assert (len(steps), idle.ticker.last_pass_at is not None, len(kept_house)) == (3, True, 1)


def test_the_runs_of_due_alarms_begin_before_the_queue_s_task_is_heard(
    idle: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task that is queued with them is the net, and no part of the way: five milliseconds less a run."""
    order: list[str] = []

    def step(**_: object) -> int:
        order.append("stepped")
        waking_broker.ring()
        return 1

    waking_broker._bell.clear()
    monkeypatch.setattr(ticker, "step", step)
    monkeypatch.setattr(
        admission,
        "admit",
        lambda **_: order.append(f"admitted, heard: {waking_broker._bell.is_set()}"),
    )
    idle.ticker._serve()
    assert (order, waking_broker._bell.is_set()) == (["stepped", "admitted, heard: False"], True)


@pytest.mark.django_db
def test_a_moment_that_was_slept_for_is_served_without_asking_again(
    idle: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, served = [], []

    def next_moment_at(*, now: datetime) -> datetime:
        asked.append(now)
        return now + timedelta(milliseconds=20)

    def serve() -> None:
        served.append(len(asked))
        idle._stopping.set()

    monkeypatch.setattr(ticker, "next_moment_at", next_moment_at)
    monkeypatch.setattr(idle.ticker, "_serve", serve)
    monkeypatch.setattr(duties, "q2_scheduler", lambda _broker: None)
    idle.ticker.run()
    assert (len(asked), served) == (1, [1])


def test_a_launcher_that_is_not_there_is_told() -> None:
    assert "launcher" in self_check.check_launcher()["launcher"]


def test_a_launcher_that_answers_is_ok(monkeypatch: pytest.MonkeyPatch) -> None:
    class Answering(launcher_client.LauncherClient):
        def __init__(self) -> None:
            pass

        def ping(self) -> dict[str, Any]:
            return {"ok": True, "isolation": {"grade": "good"}}

    monkeypatch.setattr(launcher_client, "launcher", Answering())
    assert self_check.check_launcher() == {"launcher": "ok", "isolation": {"grade": "good"}}


def test_a_disk_below_its_floor_is_told(settings: Settings) -> None:
    assert self_check.check_disk() == "ok"
    settings.MIN_FREE_MB = 10**12
    assert "the floor is" in self_check.check_disk()


@pytest.mark.django_db
def test_a_database_that_answers_is_ok() -> None:
    assert self_check.check_database() == "ok"


@pytest.mark.django_db
def test_a_database_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OSError("disk gone")

    monkeypatch.setattr(connection, "cursor", fail)
    assert "disk gone" in self_check.check_database()


@pytest.mark.django_db
def test_the_sweep_keeps_idle_drafts_among_the_versions(idle: Engine) -> None:
    script, now = make_script(), timezone.now()
    text = {"code": "half typed", "requirements": "", "python_version": ""}
    drafts.save(script, **text, based_on=0, by=None, now=now)
    idle.settler.duties.do_due(now=now + timedelta(minutes=9))
    assert script.versions.count() == 1
    idle.settler.duties.hurry("keep idle drafts")
    idle.settler.duties.do_due(now=now + timedelta(minutes=10))
    assert script.versions.values_list("code", "is_draft").first() == ("half typed", True)


def test_what_was_done_in_the_second_of_a_start_came_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TEMPO_STARTED_AT", str(NOW.timestamp() + 0.75))
    assert engine.service_started_at() == NOW + timedelta(seconds=0.75)
