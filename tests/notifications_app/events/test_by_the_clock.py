"""What no end of a run rings for: conditions, runs that are overdue, reminders, reports, heartbeats, restarts."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError

from notifications_app.events import (
    announcing,
    conditions,
    heartbeats,
    overdue,
    reminders,
    restarts,
    weekly_report,
)
from notifications_app.models import Channel, Delivery, Event, Incident, Notice, Rule
from notifications_app.rules import book
from runs_app import disk_space
from runs_app.models import Run
from runs_app.states import Kind, Status, Trigger
from scripts_app.models import Environment, Schedule, Script
from tests.factories import NOW, make_run, make_schedule, make_script
from tests.notifications_app.telling import FakeCourier, end_run, make_channel, make_rule, work

pytestmark = pytest.mark.django_db
ALL = list(Event)


def after(**spans: float) -> datetime:
    return NOW + timedelta(**spans)


def titles() -> list[str]:
    return list(Delivery.objects.order_by("pk").values_list("title", flat=True))


# --- conditions ------------------------------------------------------------------------------------------------------
def look_at_conditions(*, times: int = 3) -> list[str]:
    for number in range(times):
        conditions.look(now=after(minutes=number))
    return titles()


def test_a_broken_environment_is_told_once_with_the_names_of_its_scripts() -> None:
    make_rule(events=ALL)
    script = make_script("Backup")
    make_script("Other")
    assert script.environment
    Environment.objects.filter(pk=script.environment.pk).update(fault="a file is gone")
    expected = ["The environment of Backup, Other is broken: a file is gone"]
    assert look_at_conditions() == expected


@pytest.mark.parametrize("of_a_script", [True, False])
def test_the_database_holds_one_open_incident_of_a_kind(of_a_script: bool) -> None:
    script = make_script() if of_a_script else None
    fields = {"kind": Event.DISK_FLOOR, "script": script, "subject": "disk", "opened_at": NOW}
    Incident.objects.create(**fields, recovered_at=NOW)
    Incident.objects.create(**fields)
    with pytest.raises(IntegrityError):
        Incident.objects.create(**fields)


def test_it_is_told_again_when_it_breaks_again() -> None:
    make_rule(events=ALL)
    make_script("Backup")
    for fault in ("gone", "", "gone"):
        Environment.objects.update(fault=fault)
        conditions.look(now=NOW)
    assert len(titles()) == 2


def test_an_environment_is_told_to_those_who_hear_of_one_of_its_scripts() -> None:
    script = make_script("Backup")
    make_script("Other")
    make_rule(make_channel("all"), events=[Event.FAILED])
    make_rule(make_channel("own"), script=script, events=[Event.ENVIRONMENT_BROKEN])
    Environment.objects.update(fault="gone")
    look_at_conditions()
    assert [row.channel.name for row in Delivery.objects.all()] == ["own"]


def test_a_schedule_that_was_put_aside_is_told() -> None:
    make_rule(events=ALL)
    schedule = make_schedule(make_script("Backup"))
    Schedule.objects.filter(pk=schedule.pk).update(message="Put aside: no such zone")
    expected = ["A schedule of Backup was put aside: Put aside: no such zone"]
    assert look_at_conditions() == expected


def test_a_disk_below_its_floor_is_told_until_it_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    make_rule(events=ALL)
    monkeypatch.setattr(disk_space, "why_nothing_starts", lambda: "only 1 MB is free")
    assert look_at_conditions() == ["No new run starts: only 1 MB is free"]
    monkeypatch.setattr(disk_space, "why_nothing_starts", lambda: "")
    conditions.look(now=NOW)
    assert Incident.objects.get().recovered_at == NOW


def test_a_backup_that_failed_is_told() -> None:
    make_rule(events=ALL)
    conditions.report_backup("the disk is full", now=NOW)
    conditions.report_backup("the disk is full", now=NOW)
    conditions.report_backup("", now=NOW)
    assert titles() == ["Backup: the disk is full"]
    assert Incident.objects.get().recovered_at == NOW


def test_what_nobody_asks_for_is_not_looked_at(django_assert_num_queries: Any) -> None:
    make_rule(events=[Event.FAILED])
    book.current()
    with django_assert_num_queries(0):
        conditions.look(now=NOW)
        overdue.look(now=NOW)
        reminders.look(now=NOW)
        weekly_report.look(now=NOW)
        heartbeats.signal_starts(now=NOW)
        heartbeats.give_sign_of_life(now=NOW)
        heartbeats.signal_backups(now=NOW)


# --- overdue ---------------------------------------------------------------------------------------------------------
def going(script: Script, **fields: Any) -> Run:
    fields = {"status": Status.RUNNING, "started_at": NOW, **fields}
    return make_run(script, **fields)


def with_usual_runs(script: Script, duration_s: float, *, count: int = 5) -> Script:
    for _ in range(count):
        make_run(script, status=Status.SUCCEEDED, duration_s=duration_s, finished_at=NOW)
    return script


@pytest.mark.parametrize(
    ("usual_s", "elapsed_s", "is_slow"),
    [(60, 118, False), (60, 121, True), (5, 30, False), (5, 40, True)],
)
def test_a_run_is_slow_when_it_takes_twice_as_long_as_usual_and_half_a_minute_more(
    usual_s: float, elapsed_s: float, is_slow: bool
) -> None:
    make_rule(events=[Event.SLOW])
    going(with_usual_runs(make_script("Backup"), usual_s))
    overdue.look(now=after(seconds=elapsed_s))
    overdue.look(now=after(seconds=elapsed_s + 1))
    assert len(titles()) == int(is_slow)


def test_a_slow_run_says_what_is_usual() -> None:
    make_rule(events=[Event.SLOW])
    going(with_usual_runs(make_script("Backup"), 60))
    overdue.look(now=after(minutes=10))
    assert titles() == ["Backup takes longer than usual (1 min): 10 min so far"]


def test_few_runs_are_not_usual() -> None:
    make_rule(events=[Event.SLOW])
    going(with_usual_runs(make_script(), 60, count=4))
    overdue.look(now=after(hours=10))
    assert titles() == []


def test_a_rule_says_itself_what_is_slow() -> None:
    make_rule(events=[Event.SLOW], slow_s=300)
    going(make_script("Backup"))
    overdue.look(now=after(seconds=299))
    assert titles() == []
    overdue.look(now=after(seconds=302))
    assert titles() == ["Backup takes longer than 5 min: 5 min 2 s so far"]


def test_a_run_that_outlasts_its_interval_is_slow() -> None:
    make_rule(events=[Event.SLOW])
    schedule = make_schedule(make_script("Backup"), every_s=60)
    going(schedule.script, schedule=schedule, due_at=NOW)
    overdue.look(now=after(seconds=59))
    assert titles() == []
    overdue.look(now=after(seconds=61))
    assert titles() == ["Backup takes longer than its interval: 1 min 1 s so far"]


def test_the_next_slow_run_is_told_again() -> None:
    make_rule(events=[Event.SLOW], slow_s=60)
    script = make_script()
    run = going(script)
    overdue.look(now=after(minutes=2))
    Run.objects.filter(pk=run.pk).update(status=Status.SUCCEEDED, finished_at=after(minutes=3))
    announcing.step(now=after(minutes=3))
    going(script, started_at=after(minutes=4))
    overdue.look(now=after(minutes=6))
    assert len(titles()) == 2


def test_a_run_that_still_waits_is_late_and_told_once() -> None:
    make_rule(late_s=600)
    run = make_run(make_script("Backup"), due_at=NOW, trigger=Trigger.SCHEDULE)
    overdue.look(now=after(minutes=9))
    assert titles() == []
    overdue.look(now=after(minutes=11))
    overdue.look(now=after(minutes=12))
    run.refresh_from_db()
    Run.objects.filter(pk=run.pk).update(
        status=Status.SUCCEEDED, finished_at=after(minutes=20), late_ms=900_000
    )
    announcing.step(now=after(minutes=20))
    assert titles() == ["Backup is late by 11 min"]


# --- reminders -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("reminder", "days", "count"), [("off", 20, 1), ("daily", 3, 4), ("weekly", 15, 3)]
)
def test_what_still_fails_is_told_again(reminder: str, days: int, count: int) -> None:
    make_rule(reminder=reminder)
    end_run(make_script("Backup"))
    announcing.step(now=NOW)
    for hour in range(0, days * 24 + 1, 12):
        reminders.look(now=after(hours=hour))
    assert len(titles()) == count


def test_a_reminder_says_that_it_is_one_and_ends_with_the_recovery() -> None:
    make_rule(reminder=Rule.Reminder.DAILY)
    script = make_script("Backup")
    end_run(script)
    announcing.step(now=NOW)
    reminders.look(now=after(days=1))
    assert titles()[-1] == "Backup still fails (1 failed run in a row): Exit code 1."
    end_run(script, Status.SUCCEEDED, at=after(days=1))
    announcing.step(now=after(days=1))
    reminders.look(now=after(days=3))
    assert len(titles()) == 3


# --- weekly report ---------------------------------------------------------------------------------------------------
def test_the_report_comes_on_monday_at_eight_of_the_channels_zone() -> None:
    channel = Channel(timezone="Europe/Berlin")
    monday = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
    assert weekly_report.last_due(channel, monday) == monday
    assert weekly_report.last_due(channel, monday - timedelta(seconds=1)) == monday - timedelta(
        weeks=1
    )


def test_the_report_is_sent_once_a_week_and_names_what_went_wrong() -> None:
    make_channel(weekly_report=True, timezone="UTC")
    weekly_report.look(now=NOW)
    script = make_script("Backup")
    for _ in range(2):
        make_run(script, status=Status.FAILED, created_at=after(days=3))
    make_run(make_script("Sync"), status=Status.MISSED, created_at=after(days=3))
    for hour in range(0, 8 * 24, 6):
        weekly_report.look(now=after(hours=hour))
    row = Delivery.objects.get(event=Notice.WEEKLY_REPORT)
    lines = dict(row.facts["lines"])
    assert (lines["Failures"], lines["Did not run"]) == ("Backup (2)", "Sync (1)")


# --- heartbeats ------------------------------------------------------------------------------------------------------
def heartbeat(script: Script | None, **fields: Any) -> Channel:
    return make_channel("beat", kind=Channel.Kind.HEARTBEAT, script=script, **fields)


def signals(courier: FakeCourier) -> list[str]:
    return [letter.content["signal"] for letter in courier.letters]


def test_a_monitor_hears_start_and_end_of_each_run_under_one_id(courier: FakeCourier) -> None:
    script = make_script()
    heartbeat(script)
    run = going(script)
    work(NOW)
    work(after(seconds=5))
    Run.objects.filter(pk=run.pk).update(status=Status.SUCCEEDED, finished_at=after(seconds=9))
    work(after(seconds=10))
    assert signals(courier) == ["start", "success"]
    start, end = courier.letters
    assert start.content["run"] == end.content["run"] == heartbeats.run_id(run)
    assert not Delivery.objects.exists()


@pytest.mark.parametrize(
    ("status", "exit_code", "signal"),
    [
        (Status.FAILED, 3, "3"),
        (Status.TIMED_OUT, None, "fail"),
        (Status.LOST, None, "fail"),
        (Status.CANCELLED, None, "fail"),
    ],
)
def test_a_bad_end_is_a_fail(
    courier: FakeCourier, status: Status, exit_code: int | None, signal: str
) -> None:
    script = make_script()
    heartbeat(script)
    end_run(script, status, exit_code=exit_code)
    work(NOW)
    assert signals(courier) == [signal]


def test_other_scripts_are_not_signalled(courier: FakeCourier) -> None:
    heartbeat(make_script("Followed"))
    end_run(make_script("Other"), Status.SUCCEEDED)
    work(NOW)
    assert signals(courier) == []


def test_a_monitor_that_is_away_gets_the_newest_word_alone(courier: FakeCourier) -> None:
    script = make_script()
    channel = heartbeat(script)
    for minute in range(5):
        end_run(script, Status.SUCCEEDED, at=after(minutes=minute))
        announcing.step(now=after(minutes=minute))
    assert Delivery.objects.filter(channel=channel).count() == 1


def test_tempos_own_sign_of_life_comes_with_a_commit_and_not_too_often(
    courier: FakeCourier,
) -> None:
    channel = heartbeat(None, every_s=60)
    for seconds in range(0, 121, 20):
        work(after(seconds=seconds))
    assert signals(courier) == ["success"] * 3
    channel.refresh_from_db()
    assert channel.last_beat_at == after(seconds=120)


def ended_backup(act: str = "make", **fields: Any) -> Run:
    fields = {"status": Status.SUCCEEDED, "finished_at": NOW, "params": {"act": act}, **fields}
    return make_run(kind=Kind.BACKUP, **fields)


def test_a_heartbeat_of_the_backups_hears_the_end_of_each_once(courier: FakeCourier) -> None:
    heartbeat(None, follows_backups=True)
    ended_backup()
    for seconds in (0, 30, 60):
        work(after(seconds=seconds))
    ended_backup(status=Status.FAILED, exit_code=1, finished_at=after(minutes=2))
    work(after(minutes=2))
    assert signals(courier) == ["success", "1"]


@pytest.mark.parametrize(
    "fields",
    [
        {"act": "verify"},
        {"status": Status.CANCELLED},
        {"finished_at": NOW - timedelta(hours=2)},
        {"status": Status.RUNNING, "finished_at": None},
    ],
    ids=["a look", "cancelled", "long ago", "under way"],
)
def test_nothing_else_is_a_backup_to_a_heartbeat(
    courier: FakeCourier, fields: dict[str, Any]
) -> None:
    heartbeat(None, follows_backups=True)
    ended_backup(**fields)
    work(NOW)
    assert signals(courier) == []


# --- restarts --------------------------------------------------------------------------------------------------------
def test_a_start_behind_a_crash_is_told_and_one_behind_a_stop_is_not() -> None:
    make_rule(events=ALL)
    assert not restarts.note_start(now=NOW)
    restarts.note_stop()
    assert not restarts.note_start(now=NOW)
    assert titles() == []
    assert restarts.note_start(now=NOW)  # no stop was noted
    assert titles() == [restarts.SENTENCE]


def test_a_rule_for_a_folder_hears_nothing_of_the_machine() -> None:
    make_rule(events=ALL, tag="db")
    restarts.note_start(now=NOW)
    restarts.note_start(now=NOW)
    assert titles() == []
