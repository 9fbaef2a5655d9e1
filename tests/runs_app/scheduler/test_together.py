"""The ticker serves alarms that are due together in one step: as it would one after the other, and for less."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_q.models import OrmQ
from django_q.models import Schedule as Alarm

from runs_app.models import Run
from runs_app.scheduler import due_alarms, ticker
from runs_app.states import Reason, Status
from scripts_app.models import Schedule
from scripts_app.schedules import schedules
from scripts_app.timing import rule
from tests.factories import NOW, make_schedule, make_script

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


def make_crowd(count: int, **fields: Any) -> list[Schedule]:
    """Schedules of a minute, each on a script of its own."""
    return [make_schedule(make_script(f"Crowd {number}"), **fields) for number in range(count)]


def serve_all(now: datetime, *, limit: int = 20) -> int:
    """Serve everything due at `now`; returns how many steps it took."""
    steps = 0
    while ticker.step(now=now, limit=limit):
        steps += 1
        assert steps < 1000, "the ticker never comes to rest"
    return steps


def rows() -> list[tuple[object, ...]]:
    """Script, due moment, fate and what it stands for, in the order of their birth."""
    fields = (
        "script__slug",
        "due_at",
        "status",
        "reason",
        "missed_count",
        "missed_since",
        "attempt",
    )
    return list(Run.objects.order_by("pk").values_list(*fields))


def test_alarms_of_the_same_moment_share_a_step_and_their_rows_come_in_order() -> None:
    crowd = make_crowd(5)
    assert serve_all(NOW + MINUTE) == 1
    assert [run.schedule for run in Run.objects.order_by("pk")] == crowd


def test_it_serves_no_more_than_it_is_asked_to() -> None:
    make_crowd(5)
    ticker.step(now=NOW + MINUTE, limit=3)
    assert Run.objects.count() == 3


def test_a_crowd_asks_for_one_admission() -> None:
    make_crowd(5)
    serve_all(NOW + MINUTE)
    assert OrmQ.objects.count() == 1


def test_twenty_alarms_cost_as_many_queries_as_two() -> None:
    make_crowd(22)
    counts = []
    for limit in (2, 20):
        OrmQ.objects.all().delete()
        with CaptureQueriesContext(connection) as queries:
            ticker.step(now=NOW + MINUTE, limit=limit)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_the_second_schedule_of_a_script_meets_the_run_of_the_first() -> None:
    script = make_script()
    for _ in range(2):
        make_schedule(script)
    assert serve_all(NOW + MINUTE) == 2
    assert [(row[2], row[3]) for row in rows()] == [
        (Status.QUEUED, ""),
        (Status.SKIPPED, Reason.OVERLAP),
    ]


def fail_with(every_s: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no next moment found for schedules of such an interval."""
    honest = rule.next_after

    def failing(when: rule.Timing, moment: datetime) -> datetime | None:
        if when.every_s == every_s:
            raise RuntimeError("broken row")
        return honest(when, moment)

    monkeypatch.setattr(rule, "next_after", failing)


def test_of_a_crowd_only_the_bad_one_is_put_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    crowd = make_crowd(5)
    Schedule.objects.filter(pk=crowd[2].pk).update(every_s=61)
    fail_with(61, monkeypatch)
    serve_all(NOW + 2 * MINUTE)
    assert {run.schedule for run in Run.objects.all()} == {crowd[0], crowd[1], crowd[3], crowd[4]}
    assert [bool(schedule.message) for schedule in Schedule.objects.all()] == [
        False,
        False,
        True,
        False,
        False,
    ]


def test_a_bad_one_is_found_among_a_hundred_in_few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """By halves: alone, one after the other, those before it would take a transaction each."""
    crowd = make_crowd(100)
    Schedule.objects.filter(pk=crowd[80].pk).update(every_s=61)
    fail_with(61, monkeypatch)
    asked: list[int] = []
    honest = due_alarms.due

    def due(now: datetime, *, limit: int) -> list[Any]:
        asked.append(limit)
        return honest(now, limit=limit)

    monkeypatch.setattr(due_alarms, "due", due)
    serve_all(NOW + MINUTE, limit=ticker.SERVE_TOGETHER)
    assert [schedule.pk for schedule in Schedule.objects.exclude(message="")] == [crowd[80].pk]
    assert Run.objects.count() == 99
    assert len(asked) <= 20, asked


def test_alarms_without_a_schedule_go_with_the_others() -> None:
    make_crowd(2)
    Alarm.objects.create(func="x", cluster=schedules.CLUSTER, next_run=NOW)
    assert serve_all(NOW + MINUTE) == 1
    assert (Run.objects.count(), Alarm.objects.count()) == (2, 2)


@pytest.mark.parametrize("missed", Schedule.Missed)
@pytest.mark.parametrize("overlap", Schedule.Overlap)
def test_together_is_as_one_after_the_other(missed: str, overlap: str) -> None:
    """After a gap, with what the pauses in it held back."""
    outcomes = []
    for limit in (1, 20):
        Run.objects.all().delete()
        Schedule.objects.all().delete()
        Alarm.objects.all().delete()
        script = make_script(f"Shared {limit}")
        for every_s in (60, 60, 90, 3600):
            make_schedule(script, every_s=every_s, missed=missed, overlap=overlap)
        for number, every_s in enumerate((45, 60, 61, 600)):
            own = make_script(f"Own {number} {limit}")
            schedule = make_schedule(
                own, every_s=every_s, missed=missed, overlap=overlap, missed_cap=5
            )
            if every_s == 61:
                schedule.paused_until = NOW + 3 * MINUTE
                schedules.save(schedule, now=NOW + MINUTE / 2)
        for now in (NOW + MINUTE, NOW + 2 * MINUTE, NOW + 7 * MINUTE, NOW + 10 * MINUTE):
            serve_all(now, limit=limit)
        outcomes.append(
            [(str(slug).removesuffix(f"-{limit}"), *others) for slug, *others in rows()]
        )
    assert outcomes[0] == outcomes[1]
