"""The ticker: each due moment once, missed and overlapping ones as the schedule says."""

from datetime import datetime, timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone
from django.utils.module_loading import import_string
from django_q.brokers import get_broker
from django_q.models import OrmQ
from django_q.models import Schedule as Alarm
from django_q.scheduler import scheduler as q2_scheduler
from pytest_django import Settings

from runs_app import hot_statements
from runs_app.models import Run
from runs_app.scheduler import ticker
from runs_app.states import Reason, Status, Trigger
from scripts_app import scripts
from scripts_app.models import Schedule
from scripts_app.schedules import schedules
from scripts_app.timing import rule
from tests.factories import NOW, make_run, make_schedule, make_script

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


def tick_until_quiet(now: datetime) -> int:
    """Serve everything due at `now`; returns how many steps it took."""
    steps = 0
    while ticker.step(now=now):
        steps += 1
        assert steps < 1000, "the ticker never comes to rest"
    return steps


def test_it_starts_a_run_at_the_due_moment() -> None:
    schedule = make_schedule(every_s=60)
    tick_until_quiet(NOW + MINUTE)
    run = Run.objects.get()
    assert (run.status, run.trigger, run.schedule, run.due_at) == (
        Status.QUEUED,
        Trigger.SCHEDULE,
        schedule,
        NOW + MINUTE,
    )


def test_it_starts_nothing_before_the_due_moment() -> None:
    make_schedule(every_s=60)
    assert not ticker.step(now=NOW + timedelta(seconds=59.9))


def test_run_and_queue_row_and_next_alarm_arrive_together() -> None:
    schedule = make_schedule(every_s=60)
    tick_until_quiet(NOW + MINUTE)
    schedule.refresh_from_db()
    assert (OrmQ.objects.count(), schedule.next_at) == (1, NOW + 2 * MINUTE)


def test_a_due_moment_is_served_once_however_often_it_is_looked_at() -> None:
    make_schedule(every_s=60)
    for _ in range(3):
        tick_until_quiet(NOW + MINUTE)
    assert Run.objects.count() == 1


def test_a_clock_set_back_does_not_serve_a_moment_twice() -> None:
    schedule = make_schedule(every_s=60)
    tick_until_quiet(NOW + MINUTE)
    schedules.arm(Schedule.objects.get(pk=schedule.pk), now=NOW)  # as if it were noon again
    tick_until_quiet(NOW + MINUTE)
    assert Run.objects.count() == 1


def test_it_skips_a_run_while_the_one_before_is_still_going() -> None:
    script = make_script()
    make_run(script, status=Status.RUNNING)
    make_schedule(script, every_s=60)
    tick_until_quiet(NOW + MINUTE)
    run = Run.objects.latest("pk")
    assert (run.status, run.reason, run.is_final) == (Status.SKIPPED, Reason.OVERLAP, True)


def test_parallel_starts_beside_the_one_before() -> None:
    script = make_script()
    make_run(script, status=Status.RUNNING)
    make_schedule(script, every_s=60, overlap=Schedule.Overlap.PARALLEL)
    tick_until_quiet(NOW + MINUTE)
    assert Run.objects.latest("pk").status == Status.QUEUED


def test_missed_once_runs_once_and_says_for_how_many() -> None:
    make_schedule(every_s=60, missed=Schedule.Missed.ONCE)
    tick_until_quiet(NOW + 10 * MINUTE + timedelta(seconds=5))
    run = Run.objects.get()
    assert (run.due_at, run.missed_count, run.missed_since) == (
        NOW + 10 * MINUTE,
        9,
        NOW + MINUTE,
    )


def test_missed_skip_records_the_gap_in_one_row_and_serves_what_is_fresh() -> None:
    make_schedule(every_s=60, missed=Schedule.Missed.SKIP)
    tick_until_quiet(NOW + 10 * MINUTE + timedelta(seconds=5))
    served, missed = Run.objects.order_by("-pk")
    assert (missed.status, missed.missed_count + 1, missed.due_at) == (
        Status.MISSED,
        9,
        NOW + 9 * MINUTE,
    )
    assert (served.status, served.due_at) == (Status.QUEUED, NOW + 10 * MINUTE)


def test_missed_skip_serves_nothing_that_is_old() -> None:
    make_schedule(kind=Schedule.Kind.CRON, cron="0 13 * * *", missed=Schedule.Missed.SKIP)
    tick_until_quiet(NOW + timedelta(hours=3))
    assert [run.status for run in Run.objects.all()] == [Status.MISSED]


def test_missed_all_runs_for_each_moment() -> None:
    make_schedule(every_s=60, missed=Schedule.Missed.ALL, overlap=Schedule.Overlap.PARALLEL)
    tick_until_quiet(NOW + 10 * MINUTE)
    assert [run.due_at for run in Run.objects.order_by("pk")] == [
        NOW + n * MINUTE for n in range(1, 11)
    ]


def test_missed_all_keeps_to_its_cap_and_records_the_rest() -> None:
    make_schedule(every_s=1, missed=Schedule.Missed.ALL, missed_cap=7)
    tick_until_quiet(NOW + timedelta(seconds=100_000))
    missed = Run.objects.get(status=Status.MISSED)
    served = Run.objects.filter(status=Status.QUEUED).count()
    # the last one is on time, and finds the others waiting
    late = Run.objects.get(status=Status.SKIPPED)
    assert late.due_at == NOW + timedelta(seconds=100_000)
    assert missed.missed_count + 1 + served + 1 == 100_000
    assert served + 1 == 7


def test_a_sleep_across_a_hundred_thousand_moments_is_one_step() -> None:
    make_schedule(every_s=1)
    assert tick_until_quiet(NOW + timedelta(seconds=100_000)) == 1


def test_a_schedule_that_raises_is_put_aside_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = make_schedule(every_s=60)
    good = make_schedule(make_script("Other"), every_s=60)
    honest = rule.next_after

    def failing(when: rule.Timing, moment: datetime) -> datetime | None:
        if when.anchor == bad.anchor and when.every_s == 61:
            raise RuntimeError("broken row")
        return honest(when, moment)

    Schedule.objects.filter(pk=bad.pk).update(every_s=61)
    monkeypatch.setattr(rule, "next_after", failing)
    tick_until_quiet(NOW + 2 * MINUTE)
    bad.refresh_from_db()
    assert Run.objects.filter(schedule=good).exists()
    assert (bad.alarm, "broken row" in bad.message) == (None, True)


def test_a_disabled_script_fires_nothing() -> None:
    script = make_script()
    make_schedule(script, every_s=60)
    scripts.update(script, by=None, now=NOW, enabled=False)
    assert (tick_until_quiet(NOW + MINUTE), Run.objects.count()) == (0, 0)


def test_an_edited_schedule_does_not_fire_its_old_moment() -> None:
    schedule = make_schedule(every_s=60)
    schedule.every_s = 3600
    schedules.save(schedule, now=NOW + timedelta(seconds=30))
    assert tick_until_quiet(NOW + MINUTE) == 0


def test_an_alarm_without_a_schedule_is_removed() -> None:
    Alarm.objects.create(func="x", cluster=schedules.CLUSTER, next_run=NOW)
    tick_until_quiet(NOW)
    assert not Alarm.objects.exists()


def test_a_full_disk_is_recorded_as_a_skipped_moment(settings: Settings) -> None:
    make_schedule(every_s=60)
    settings.MIN_FREE_MB = 10**12
    tick_until_quiet(NOW + MINUTE)
    assert [(run.status, run.reason) for run in Run.objects.all()] == [
        (Status.SKIPPED, Reason.DISK)
    ]


def test_start_up_schedules_run_once_for_each_start_of_the_service() -> None:
    make_schedule(kind=Schedule.Kind.STARTUP)
    for _ in range(2):  # web started twice below one launcher
        ticker.at_start(service_started_at=NOW, now=NOW + MINUTE)
    assert [run.trigger for run in Run.objects.all()] == [Trigger.STARTUP]


def test_due_alarms_are_served_oldest_first() -> None:
    late = make_schedule(make_script("Late"), every_s=120)
    early = make_schedule(make_script("Early"), every_s=60)
    ticker.step(now=NOW + 2 * MINUTE, limit=1)
    assert Run.objects.get().schedule == early
    assert late.next_at == NOW + 2 * MINUTE


def test_a_locked_database_does_not_put_a_schedule_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = make_schedule(every_s=60)

    def locked(*_: object, **__: object) -> None:
        raise OperationalError("database is locked")

    with monkeypatch.context() as context:
        context.setattr(hot_statements, "insert_runs", locked)
        with pytest.raises(OperationalError):
            ticker.step(now=NOW + MINUTE)
    schedule.refresh_from_db()
    assert schedule.next_at == NOW + MINUTE
    tick_until_quiet(NOW + MINUTE)
    assert Run.objects.count() == 1


def test_an_alarm_that_outlived_its_switch_fires_nothing() -> None:
    schedule = make_schedule(every_s=60)
    Schedule.objects.filter(pk=schedule.pk).update(enabled=False)
    tick_until_quiet(NOW + MINUTE)
    assert (Run.objects.count(), Alarm.objects.count()) == (0, 0)


def test_q2_leaves_due_alarms_to_the_ticker(monkeypatch: pytest.MonkeyPatch) -> None:
    # The test's transaction would go with its connection.
    monkeypatch.setattr("django_q.scheduler.close_old_django_connections", lambda: None)
    make_schedule()
    Alarm.objects.update(next_run=timezone.now() - MINUTE)
    before = Alarm.objects.values().get()
    q2_scheduler(get_broker())
    assert (Alarm.objects.values().get(), OrmQ.objects.count()) == (before, 0)


def test_the_function_that_alarms_name_is_there_and_serves_nothing() -> None:
    alarm = make_schedule().alarm
    assert alarm
    with pytest.raises(RuntimeError, match="Tempo's ticker"):
        import_string(alarm.func)()
