"""Retries: a failed run of a schedule is tried again, each time as a run of its own."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from runs_app.admission import admission, explain
from runs_app.execution import finish
from runs_app.models import Run
from runs_app.new_runs import retries
from runs_app.scheduler import ticker
from runs_app.states import Reason, Status, Trigger
from scripts_app.models import Schedule
from scripts_app.schedules import global_pause, schedules
from tests.factories import NOW, make_run, make_schedule, make_script

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)


def failed(schedule: Schedule, status: Status = Status.FAILED, **fields: Any) -> Run:
    """A run of the schedule that has just ended."""
    run = make_run(schedule.script, schedule=schedule, status=Status.RUNNING, due_at=NOW, **fields)
    assert finish.end(run, status, now=NOW, reason=Reason.EXIT_CODE)
    return run


def test_a_failed_run_is_tried_again_after_its_wait() -> None:
    script = make_script(parameters=[{"name": "a", "type": "int"}])
    first = failed(make_schedule(script, retries=2, retry_delay_s=30), params={"a": 1})
    retry = Run.objects.latest("pk")

    assert (retry.status, retry.trigger, retry.attempt, retry.parent) == (
        Status.QUEUED,
        Trigger.RETRY,
        2,
        first,
    )
    assert (retry.not_before, retry.params, retry.due_at) == (NOW + 30 * SECOND, {"a": 1}, None)
    assert admission.claim(now=NOW + 29 * SECOND) == []
    assert admission.claim(now=NOW + 30 * SECOND) == [retry]


def test_every_try_belongs_to_the_first_and_there_are_no_more_than_allowed() -> None:
    schedule = make_schedule(retries=2)
    first = failed(schedule)
    for number in (2, 3):
        retry = Run.objects.latest("pk")
        assert (retry.attempt, retry.parent) == (number, first)
        Run.objects.filter(pk=retry.pk).update(status=Status.RUNNING)
        finish.end(retry, Status.TIMED_OUT, now=NOW, reason=Reason.TIME)

    assert Run.objects.count() == 3


@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.CANCELLED])
def test_what_succeeded_or_was_cancelled_is_not_tried_again(status: Status) -> None:
    failed(make_schedule(retries=3), status)

    assert Run.objects.count() == 1


def test_a_run_by_hand_is_not_tried_again() -> None:
    run = make_run(make_script(), status=Status.RUNNING)
    finish.end(run, Status.FAILED, now=NOW)

    assert Run.objects.count() == 1


def test_nothing_is_tried_for_a_schedule_that_was_disabled() -> None:
    schedule = make_schedule(retries=3)
    Schedule.objects.filter(pk=schedule.pk).update(enabled=False)
    failed(schedule)

    assert Run.objects.count() == 1


def test_the_wait_doubles_up_to_its_cap() -> None:
    schedule = make_schedule(
        retries=9, retry_delay_s=10, retry_backoff=Schedule.Backoff.DOUBLING, retry_max_delay_s=60
    )

    assert [retries.wait_s(schedule, attempt) for attempt in range(1, 6)] == [10, 20, 40, 60, 60]


def test_a_pending_retry_can_be_looked_at_in_the_queue() -> None:
    failed(make_schedule(retries=1, retry_delay_s=60))

    assert explain.explain_waiting(Run.objects.latest("pk"), now=NOW).waits_for


def test_the_ticker_is_told_of_a_retry_and_wakes_for_it(
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    """The sweep comes by every five seconds only: a second's wait would take six."""
    told: list[object] = []
    schedule = make_schedule(kind="once", at=NOW + 900 * SECOND, retries=1, retry_delay_s=1)

    def receive(**_: object) -> None:
        told.append("rung")

    schedules.rearmed.connect(receive)
    with django_capture_on_commit_callbacks(execute=True):
        failed(schedule)
    schedules.rearmed.disconnect(receive)

    assert told == ["rung"]
    assert ticker.next_moment_at(now=NOW) == NOW + SECOND
    assert ticker.next_moment_at(now=NOW + SECOND) == NOW + 900 * SECOND, (
        "its moment has come: admission's now"
    )


def test_a_retry_whose_schedule_is_paused_wakes_nobody() -> None:
    schedule = make_schedule(kind="once", at=NOW + 900 * SECOND, retries=1, retry_delay_s=1)
    failed(schedule)
    Schedule.objects.filter(pk=schedule.pk).update(paused_at=NOW, paused_until=NOW + 600 * SECOND)

    assert ticker.next_moment_at(now=NOW) is None


def test_a_pause_holds_retries_too() -> None:
    schedule = make_schedule(retries=1, retry_delay_s=1)
    failed(schedule)
    retry, later = Run.objects.latest("pk"), NOW + 60 * SECOND
    global_pause.pause_all(by="ada", now=NOW)
    assert admission.claim(now=later) == []
    assert (
        explain.explain_waiting(retry, now=later).waits_for
        == "It waits for the end of the pause: try 2 of 2."
    )
    global_pause.resume_all(by="ada", now=later)
    Schedule.objects.filter(pk=schedule.pk).update(paused_at=NOW, paused_until=NOW + 90 * SECOND)
    assert admission.claim(now=later) == []
    assert admission.claim(now=NOW + 90 * SECOND) == [retry]


def test_a_success_is_kept_with_its_schedule_and_ends_its_staleness() -> None:
    schedule = make_schedule()
    Schedule.objects.filter(pk=schedule.pk).update(stale_since=NOW)
    failed(schedule, Status.SUCCEEDED)
    schedule.refresh_from_db()

    assert (schedule.last_success_at, schedule.stale_since) == (NOW, None)


def test_a_run_longer_than_its_interval_says_so() -> None:
    schedule = make_schedule(every_s=60)
    run = failed(schedule, Status.SUCCEEDED, started_at=NOW)
    assert not Run.objects.get(pk=run.pk).overran
    long = make_run(
        schedule.script, schedule=schedule, status=Status.RUNNING, due_at=NOW + 60 * SECOND
    )
    long.started_at = NOW + 60 * SECOND
    finish.end(long, Status.SUCCEEDED, now=NOW + 121 * SECOND)

    assert Run.objects.get(pk=long.pk).overran
