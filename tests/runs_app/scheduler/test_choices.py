"""What a schedule can choose: overlaps, pauses, a delay at start-up; and that a preview promises what then happens."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django_q.models import Schedule as Alarm
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runs_app.admission import admission
from runs_app.models import Run
from runs_app.scheduler import ticker
from runs_app.states import Reason, Status, Trigger
from scripts_app.models import Pause, Schedule
from scripts_app.schedules import global_pause, schedules
from scripts_app.timing import rule
from scripts_app.timing.rule import TimingError
from tests.factories import NOW, make_run, make_schedule, make_script
from tests.runs_app.scheduler.test_ticker import MINUTE, tick_until_quiet

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)
Overlap = Schedule.Overlap


def rows() -> list[tuple[str, str]]:
    return [(run.status, run.reason) for run in Run.objects.order_by("pk")]


def test_a_due_moment_of_a_version_that_python_cannot_read_is_skipped_and_says_where() -> None:
    make_schedule(make_script(code="x = (\n"), every_s=60)
    tick_until_quiet(NOW + MINUTE)

    assert rows() == [(Status.SKIPPED, Reason.SYNTAX)]
    assert "line 1: '(' was never closed" in Run.objects.get().explain()


# --- overlap ---
def test_queue_one_lets_one_wait_and_no_more() -> None:
    script = make_script()
    going = make_run(script, status=Status.RUNNING)
    make_schedule(script, every_s=60, overlap=Overlap.QUEUE_ONE)
    tick_until_quiet(NOW + MINUTE)
    tick_until_quiet(NOW + 2 * MINUTE)

    assert rows() == [(Status.RUNNING, ""), (Status.QUEUED, ""), (Status.SKIPPED, Reason.OVERLAP)]
    assert admission.claim(now=NOW + 2 * MINUTE) == [], "it waits for the one before"
    Run.objects.filter(pk=going.pk).update(status=Status.SUCCEEDED)
    assert len(admission.claim(now=NOW + 2 * MINUTE)) == 1


def test_parallel_keeps_to_its_cap() -> None:
    script = make_script()
    make_schedule(script, every_s=60, overlap=Overlap.PARALLEL, max_parallel=2)
    for number in range(1, 4):
        tick_until_quiet(NOW + number * MINUTE)

    assert rows() == [(Status.QUEUED, ""), (Status.QUEUED, ""), (Status.SKIPPED, Reason.OVERLAP)]
    assert "2 runs were still going" in Run.objects.latest("pk").message


def test_replace_cancels_what_is_queued_and_starts_anew() -> None:
    make_schedule(every_s=60, overlap=Overlap.REPLACE)
    tick_until_quiet(NOW + MINUTE)
    tick_until_quiet(NOW + 2 * MINUTE)

    assert rows() == [(Status.CANCELLED, Reason.USER), (Status.QUEUED, "")]
    assert Run.objects.earliest("pk").cancelled_by == "schedule"


def test_replace_leaves_the_old_one_alone_when_the_new_one_cannot_be_read() -> None:
    script = make_script(code="x = (\n")
    make_run(script, status=Status.RUNNING)
    make_schedule(script, every_s=60, overlap=Overlap.REPLACE)
    tick_until_quiet(NOW + MINUTE)
    assert rows() == [(Status.RUNNING, ""), (Status.SKIPPED, Reason.SYNTAX)]
    assert Run.objects.earliest("pk").cancel_requested_at is None


def test_replace_waits_until_the_old_one_is_gone() -> None:
    script = make_script()
    old = make_run(script, status=Status.RUNNING, folder="2026-11/1-abcdef12")
    make_schedule(script, every_s=60, overlap=Overlap.REPLACE)
    tick_until_quiet(NOW + MINUTE)
    old.refresh_from_db()

    assert old.cancel_requested_at and old.cancelled_by == "schedule"
    assert admission.claim(now=NOW + MINUTE) == []


def test_a_pending_retry_is_no_overlap_and_is_given_up() -> None:
    script = make_script()
    schedule = make_schedule(script, every_s=60)
    later = NOW + timedelta(hours=1)
    retry = make_run(script, schedule=schedule, not_before=later, attempt=2, trigger=Trigger.RETRY)
    tick_until_quiet(NOW + MINUTE)
    retry.refresh_from_db()

    assert (retry.status, retry.reason) == (Status.SKIPPED, Reason.SUPERSEDED)
    assert Run.objects.latest("pk").status == Status.QUEUED


# --- pauses ---
def test_a_paused_schedule_fires_nothing_and_records_the_gap_in_one_row() -> None:
    schedule = make_schedule(every_s=60)
    schedule.paused_until = NOW + 10 * MINUTE + SECOND
    schedules.save(schedule, now=NOW + SECOND)
    tick_until_quiet(NOW + 5 * MINUTE)
    assert not Run.objects.exists()

    tick_until_quiet(NOW + 11 * MINUTE)
    skipped, served = Run.objects.order_by("pk")
    assert (skipped.status, skipped.reason) == (Status.SKIPPED, Reason.PAUSED)
    assert (skipped.due_at, skipped.missed_count, skipped.missed_since) == (
        NOW + 10 * MINUTE,
        9,
        NOW + MINUTE,
    )
    assert (served.status, served.due_at, served.missed_count) == (
        Status.QUEUED,
        NOW + 11 * MINUTE,
        0,
    )


def test_a_pause_that_is_ended_early_leaves_its_row_too() -> None:
    schedule = make_schedule(every_s=60)
    schedule.paused_until = NOW + timedelta(hours=5)
    schedules.save(schedule, now=NOW + SECOND)
    schedule.paused_until = None
    schedules.save(schedule, now=NOW + 3 * MINUTE + SECOND)
    tick_until_quiet(NOW + 4 * MINUTE)

    assert rows() == [(Status.SKIPPED, Reason.PAUSED), (Status.QUEUED, "")]


def test_a_pause_of_everything_holds_all_and_the_service_may_be_down_at_its_end() -> None:
    make_schedule(every_s=60, missed=Schedule.Missed.ONCE)
    make_schedule(make_script("Other"), every_s=600)
    global_pause.pause_all(by="ada", now=NOW + SECOND, until=NOW + 5 * MINUTE)
    assert not ticker.step(now=NOW + 2 * MINUTE)
    assert ticker.next_moment_at(now=NOW + 2 * MINUTE) == NOW + 5 * MINUTE

    tick_until_quiet(NOW + 8 * MINUTE)
    skipped, served = Run.objects.order_by("pk")
    assert (skipped.reason, skipped.due_at, skipped.missed_count) == (
        Reason.PAUSED,
        NOW + 4 * MINUTE,
        3,
    )
    assert (served.due_at, served.missed_count) == (NOW + 8 * MINUTE, 3), (
        "those behind the pause were missed"
    )


def test_what_was_due_before_a_pause_of_everything_is_not_part_of_what_is_due_behind_it() -> None:
    """The ticker had not come to it when the pause began: it is late, and the row of the pause says only its own."""
    make_schedule(every_s=60, overlap=Overlap.PARALLEL)
    global_pause.pause_all(by="ada", now=NOW + 2 * MINUTE + SECOND, until=NOW + 5 * MINUTE)
    tick_until_quiet(NOW + 6 * MINUTE)

    before, paused, behind = Run.objects.order_by("pk")
    assert (before.status, before.due_at, before.missed_count) == (
        Status.QUEUED,
        NOW + 2 * MINUTE,
        1,
    )
    assert (paused.reason, paused.missed_since, paused.due_at) == (
        Reason.PAUSED,
        NOW + 3 * MINUTE,
        NOW + 4 * MINUTE,
    )
    assert (behind.status, behind.due_at, behind.missed_count) == (
        Status.QUEUED,
        NOW + 6 * MINUTE,
        1,
    )


@pytest.mark.parametrize(
    ("missed", "rows_before"),
    [
        (Schedule.Missed.SKIP, [Status.MISSED]),
        (Schedule.Missed.ALL, [Status.QUEUED, Status.QUEUED]),
    ],
)
def test_what_was_due_before_a_pause_follows_the_schedule_s_policy(
    missed: Schedule.Missed, rows_before: list[Status]
) -> None:
    make_schedule(every_s=60, overlap=Overlap.PARALLEL, missed=missed)
    global_pause.pause_all(by="ada", now=NOW + 2 * MINUTE + SECOND, until=NOW + 5 * MINUTE)
    tick_until_quiet(NOW + 5 * MINUTE + SECOND)

    assert rows() == [
        *((status, _reason(status)) for status in rows_before),
        (Status.SKIPPED, Reason.PAUSED),
        (Status.QUEUED, ""),
    ]


def _reason(status: Status) -> str:
    return Reason.SERVICE_DOWN if status == Status.MISSED else ""


def test_a_pause_until_further_notice_ends_when_somebody_says_so() -> None:
    make_schedule(every_s=60)
    global_pause.pause_all(by="ada", now=NOW + SECOND)
    assert ticker.next_moment_at(now=NOW + 9 * MINUTE) is None
    global_pause.resume_all(by="bob", now=NOW + 9 * MINUTE + SECOND)
    tick_until_quiet(NOW + 10 * MINUTE)

    assert rows() == [(Status.SKIPPED, Reason.PAUSED), (Status.QUEUED, "")]
    assert Pause.objects.get().by == "bob"
    assert global_pause.resume_all(by="bob", now=NOW + 11 * MINUTE) is None


def test_a_pause_that_would_be_over_is_refused() -> None:
    schedule = make_schedule(every_s=60)
    schedule.paused_until = NOW
    with pytest.raises(TimingError) as refusal:
        schedules.save(schedule, now=NOW + SECOND)
    assert refusal.value.field == "paused_until"
    with pytest.raises(TimingError):
        global_pause.pause_all(by="ada", now=NOW, until=NOW)


# --- start-up ---
def test_a_delayed_start_up_runs_once_for_a_start_of_the_service() -> None:
    make_schedule(kind=Schedule.Kind.STARTUP, delay_s=60)
    for now in (NOW, NOW + 10 * SECOND):  # web is restarted, the service is not
        ticker.at_start(service_started_at=NOW, now=now)
    tick_until_quiet(NOW + 59 * SECOND)
    assert not Run.objects.exists()
    tick_until_quiet(NOW + 61 * SECOND)
    ticker.at_start(service_started_at=NOW, now=NOW + 2 * MINUTE)
    tick_until_quiet(NOW + 3 * MINUTE)

    run = Run.objects.get()
    assert (run.trigger, run.due_at) == (Trigger.STARTUP, NOW + MINUTE)


def test_a_schedule_whose_zone_has_gone_is_put_aside_at_the_start() -> None:
    lost, good = make_schedule(every_s=60), make_schedule(make_script("Other"), every_s=60)
    Schedule.objects.filter(pk=lost.pk).update(timezone="Mars/Olympus")
    ticker.at_start(service_started_at=NOW, now=NOW)
    lost.refresh_from_db()
    good.refresh_from_db()

    assert lost.alarm is None and "There is no time zone `Mars/Olympus`" in lost.message
    assert good.alarm is not None and good.message == ""


# --- facts ---
def test_a_schedule_without_success_for_three_periods_is_stale() -> None:
    script = make_script()
    schedule = make_schedule(script, every_s=60)
    Schedule.objects.filter(pk=schedule.pk).update(created_at=NOW)
    for number in range(1, 5):
        tick_until_quiet(NOW + number * MINUTE)
        Run.objects.active().update(status=Status.FAILED)
        schedule.refresh_from_db()
        assert (schedule.stale_since is not None) == (number == 4)


# --- preview and fact ---
rhythms = st.one_of(
    st.fixed_dictionaries({"kind": st.just("interval"), "every_s": st.integers(1, 5000)}),
    st.fixed_dictionaries(
        {
            "kind": st.just("cron"),
            "cron": st.sampled_from(
                ["*/7 * * * *", "30 2 * * *", "15,45 */3 * * 1-5", "0 9 L * *", "*/20 5 3 * * *"]
            ),
            "timezone": st.sampled_from(
                ["UTC", "Europe/Berlin", "America/Havana", "Australia/Lord_Howe"]
            ),
        }
    ),
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rhythm=rhythms,
    jitter=st.sampled_from([0, 0, 40, 3000]),
    edit_after=st.integers(0, 4),
    late=st.integers(0, 900),
)
def test_a_preview_promises_what_then_happens(
    rhythm: dict[str, Any], jitter: int, edit_after: int, late: int
) -> None:
    """Also when somebody saves the schedule between two moments, or in the very second of one."""
    Schedule.objects.all().delete()  # an example leaves its rows behind
    Alarm.objects.all().delete()
    Run.objects.all().delete()
    schedule = make_schedule(
        make_script(), jitter_s=jitter, overlap=Overlap.PARALLEL, max_parallel=20, **rhythm
    )
    promised = rule.upcoming(schedule.timing, NOW, 6)
    fired: list[datetime] = []
    for number, due in enumerate(promised):
        if number == edit_after:
            schedule.refresh_from_db()
            schedules.save(schedule, now=min(promised[number], NOW + timedelta(seconds=late)))
        assert ticker.next_moment_at(now=due) == due
        assert ticker.step(now=due)
        fired.append(Run.objects.latest("pk").due_at or NOW)
        assert not ticker.step(now=due)

    assert fired == promised
