"""Duties: each in its order and at its time, and none of them lost to another one."""

import errno
import threading
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection
from django.db.models.sql.compiler import SQLCompiler
from django.test.utils import CaptureQueriesContext

from runs_app import ballast
from runs_app.engine import settler_thread
from runs_app.engine.duties import (
    IN_EVERY_PASS,
    SELF_CHECK,
    Duties,
    Duty,
    settler_duties,
    ticker_duties,
)
from runs_app.engine.self_check import SelfCheck
from runs_app.engine.settler_thread import SettlerThread
from tempo_site.lib import paths
from tests.factories import NOW

done: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_done() -> None:
    done.clear()


def duty(name: str, every_s: float, *, answer: object = None, tells_activity: bool = False) -> Duty:
    """One that notes that it was done."""

    def do(*, now: datetime) -> object:
        assert now == NOW
        done.append(name)
        return answer

    return Duty(name, every_s, do, tells_activity)


def test_duties_are_done_in_the_order_of_the_table_each_at_its_time() -> None:
    duties = Duties([duty("hourly", 3600), duty("always", IN_EVERY_PASS), duty("daily", 86400)])
    duties.do_due(now=NOW)
    duties.do_due(now=NOW)
    assert done == ["hourly", "always", "daily", "always"]


def test_a_duty_can_be_hurried() -> None:
    duties = Duties([duty("hourly", 3600), duty("daily", 86400)])
    duties.do_due(now=NOW)
    duties.hurry("daily")
    duties.do_due(now=NOW)
    assert done == ["hourly", "daily", "daily"]


def failing(name: str, error: Exception) -> Duty:
    """One that fails each time."""

    def fail(*, now: datetime) -> None:
        done.append(name)
        raise error

    return Duty(name, IN_EVERY_PASS, fail)


def test_a_duty_that_fails_keeps_no_other_from_being_done_and_is_told() -> None:
    errors = [ValueError("first"), OSError("second")]
    table = [
        failing("one", errors[0]),
        duty("two", 1),
        failing("three", errors[1]),
        duty("four", 1),
    ]
    with pytest.raises(ExceptionGroup) as told:
        Duties(table).do_due(now=NOW)
    assert done == ["one", "two", "three", "four"]
    assert list(told.value.exceptions) == errors
    assert errors[1].__notes__ == ["duty: three"]


@pytest.mark.django_db
def test_each_failure_of_a_pass_is_logged_and_one_of_a_full_disk_costs_the_ballast(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stopping = threading.Event()
    settler = SettlerThread(stopping)

    def check_self(*, now: datetime) -> None:
        done.append(SELF_CHECK)
        if done.count(SELF_CHECK) == 2:
            stopping.set()

    full = OSError(errno.ENOSPC, "No space left on device")
    settler.duties = Duties(
        [
            failing("sweep", ValueError("a defect")),
            failing("archive", full),
            Duty(SELF_CHECK, 3600, check_self),
        ]
    )
    monkeypatch.setattr(settler_thread, "PAUSE_AFTER_ERROR_S", 0.0)
    ballast.tend(now=NOW)
    settler.run()
    assert done == ["sweep", "archive", SELF_CHECK] * 2, "looked at again in the very next pass"
    assert not paths.ballast().exists()
    assert settler.last_pass_at is None, "a pass that fails is not a pass"
    lines = [record for record in caplog.records if record.name == settler_thread.__name__]
    assert [(str(full) in line.getMessage(), bool(line.exc_info)) for line in lines] == [
        (False, True),
        (True, False),
    ] * 2


@pytest.mark.parametrize(
    ("answer", "tells_activity", "expected"), [(3, True, True), (0, True, False), (3, False, False)]
)
def test_only_some_answers_say_that_things_are_going_on(
    answer: int, tells_activity: bool, expected: bool
) -> None:
    table = [duty("one", 1, answer=answer, tells_activity=tells_activity), duty("two", 1)]
    assert Duties(table).do_due(now=NOW) is expected


@pytest.mark.django_db
def test_what_fails_is_looked_at_in_every_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [False, False, True]
    self_check = SelfCheck()
    monkeypatch.setattr(self_check, "look", lambda *, now: answers.pop(0))
    duties = settler_duties(self_check)
    for _ in range(4):
        duties.do_due(now=NOW)
    assert answers == [], "and what is well for the first time in ten seconds"


def test_runs_are_settled_before_others_begin_and_folders_are_archived_last() -> None:
    names = [duty.name for duty in settler_duties(SelfCheck())._table]
    order = ["sweep", "follow up", "archive"]
    places = [names.index(name) for name in order]
    assert all(before < after for before, after in pairwise(places))


def test_no_thread_has_two_duties_of_one_name() -> None:
    for duties in (settler_duties(SelfCheck()), ticker_duties()):
        names = [duty.name for duty in duties._table]
        assert len(names) == len(set(names))


@pytest.mark.django_db
def test_a_pass_with_nothing_to_do_builds_no_sql(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is done every five seconds for ever: what it asks is built once, and takes a tenth of the time."""
    self_check = SelfCheck()
    monkeypatch.setattr(self_check, "look", lambda *, now: True)  # every ten seconds
    duties = settler_duties(self_check)
    duties.do_due(now=NOW)
    built: list[str] = []
    honest = SQLCompiler.as_sql

    def as_sql(compiler: SQLCompiler, *arguments: Any, **options: Any) -> Any:
        sql, parameters = honest(compiler, *arguments, **options)
        built.append(sql)
        return sql, parameters

    monkeypatch.setattr(SQLCompiler, "as_sql", as_sql)
    with CaptureQueriesContext(connection) as queries:
        duties.do_due(now=NOW)
    assert (built, len(queries)) == ([], 5)


# --- with a million runs --------------------------------------------------------------------------------------------
PARTIAL = ("run_queue", "run_unannounced", "run_unarchived", "run_own_programs", "run_builds")


@pytest.mark.django_db
def test_no_pass_of_the_settler_reads_the_whole_history() -> None:
    with CaptureQueriesContext(connection) as queries:
        settler_duties(SelfCheck()).do_due(now=NOW)
    plans: list[str] = []
    for query in queries:
        if "runs_app_run" in query["sql"]:
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
                plans += [row[3] for row in cursor.fetchall()]
    steps = [step for step in plans if "runs_app_run" in step and not step.endswith(PARTIAL)]
    assert not [step for step in steps if step.startswith("SCAN") or "run_finished" in step]
