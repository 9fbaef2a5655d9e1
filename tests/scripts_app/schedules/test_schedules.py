"""Saving schedules and arming their alarms."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django_q.models import Schedule as Alarm

from scripts_app import scripts
from scripts_app.models import Schedule, Script
from scripts_app.schedules import schedules
from scripts_app.timing.rule import TimingError
from tests.rows import each_row

NOW = datetime(2026, 11, 23, 12, 0, 0, 250_000, tzinfo=UTC)
LATER = NOW + timedelta(seconds=25)
OnCommit = Callable[..., AbstractContextManager[list[Callable[[], Any]]]]

pytestmark = pytest.mark.django_db


@pytest.fixture
def script() -> Script:
    return scripts.create(name="Hello", by=None, now=NOW)


def save(script: Script, **fields: Any) -> Schedule:
    return schedules.save(Schedule(script=script, **fields), now=NOW)


def stored(schedule: Schedule) -> Schedule:
    return Schedule.objects.get(pk=schedule.pk)


def test_a_cron_schedule_is_armed_for_its_next_moment(script: Script) -> None:
    schedule = save(script, kind="cron", cron="30 2 * * *", timezone="Europe/Berlin")
    assert stored(schedule).next_at == datetime(2026, 11, 24, 1, 30, tzinfo=UTC)


def test_its_alarm_is_out_of_reach_for_q2s_scheduler(script: Script) -> None:
    alarm = save(script, kind="interval", every_s=60).alarm
    assert alarm
    assert (alarm.cluster, alarm.schedule_type, alarm.func) == (
        "alarms",
        Alarm.ONCE,
        schedules.FUNCTION,
    )


def test_an_interval_is_first_due_one_interval_after_it_was_saved(script: Script) -> None:
    assert save(script, kind="interval", every_s=10).next_at == NOW + timedelta(seconds=10)


def test_an_interval_keeps_its_grid_when_it_is_saved_again(script: Script) -> None:
    schedule = stored(save(script, kind="interval", every_s=10))
    schedule.timezone = "Europe/Berlin"
    schedules.save(schedule, now=LATER)
    assert stored(schedule).next_at == NOW + timedelta(seconds=30)


def test_another_length_begins_another_grid(script: Script) -> None:
    schedule = stored(save(script, kind="interval", every_s=10))
    schedule.every_s = 7
    schedules.save(schedule, now=LATER)
    assert stored(schedule).next_at == LATER + timedelta(seconds=7)


def test_a_moment_that_is_due_and_not_served_survives_a_save(script: Script) -> None:
    schedule = stored(save(script, kind="interval", every_s=10))
    schedule.overlap = Schedule.Overlap.PARALLEL
    schedules.save(schedule, now=LATER)
    assert stored(schedule).next_at == NOW + timedelta(seconds=10)


def test_an_exact_moment_is_armed(script: Script) -> None:
    assert save(script, kind="once", at=LATER).next_at == LATER


def test_an_exact_moment_in_the_past_is_refused(script: Script) -> None:
    with pytest.raises(TimingError, match="is in the past") as refusal:
        save(script, kind="once", at=NOW)
    assert refusal.value.field == "at"


def test_an_exact_moment_that_has_come_may_be_saved_unchanged(script: Script) -> None:
    schedule = stored(save(script, kind="once", at=LATER))
    schedules.disarm(schedule)
    schedule.enabled = False
    schedules.save(schedule, now=LATER)
    assert (stored(schedule).enabled, stored(schedule).next_at) == (False, None)


def test_a_start_up_schedule_has_no_alarm(script: Script) -> None:
    assert save(script, kind="startup").alarm is None


def test_fields_of_other_kinds_are_cleared(script: Script) -> None:
    schedule = stored(save(script, kind="interval", every_s=10))
    schedule.kind, schedule.cron, schedule.at = Schedule.Kind.CRON, "0 * * * *", NOW
    schedules.save(schedule, now=NOW)
    saved = stored(schedule)
    assert (saved.cron, saved.every_s, saved.at, saved.anchor) == ("0 * * * *", None, None, None)


@each_row(
    ("fields", "field"),
    [
        ({"kind": "cron", "cron": "0 24 * * *"}, "cron"),
        ({"kind": "cron", "cron": ""}, "cron"),
        ({"kind": "cron", "cron": "0 0 30 2 *"}, "cron"),
        ({"kind": "interval"}, "every_s"),
        ({"kind": "interval", "every_s": 0}, "every_s"),
        ({"kind": "once"}, "at"),
        ({"kind": "cron", "cron": "* * * * *", "timezone": "Mars/Phobos"}, "timezone"),
        ({"kind": "sometimes"}, "kind"),
        ({"kind": "startup", "overlap": "queue"}, "overlap"),
        ({"kind": "startup", "missed": "never"}, "missed"),
    ],
)
def test_what_cannot_be_saved_is_refused_by_field(
    fields: dict[str, Any], field: str, script: Script
) -> None:
    with pytest.raises(TimingError) as refusal:
        save(script, **fields)
    assert (refusal.value.field, Schedule.objects.count(), Alarm.objects.count()) == (field, 0, 0)


def test_a_refused_change_leaves_the_alarm(script: Script) -> None:
    schedule = stored(save(script, kind="interval", every_s=10))
    schedule.every_s = 0
    with pytest.raises(TimingError):
        schedules.save(schedule, now=NOW)
    assert stored(schedule).next_at == NOW + timedelta(seconds=10)


def test_a_schedule_that_is_switched_off_has_no_alarm(script: Script) -> None:
    schedule = stored(save(script, kind="interval", every_s=10))
    schedule.enabled = False
    schedules.save(schedule, now=NOW)
    assert (stored(schedule).alarm, Alarm.objects.count()) == (None, 0)


def test_a_schedule_that_is_switched_on_goes_on_with_its_grid(script: Script) -> None:
    schedule = save(script, kind="interval", every_s=10, enabled=False)
    schedule.enabled = True
    schedules.save(schedule, now=LATER)
    assert stored(schedule).next_at == NOW + timedelta(seconds=30)


def test_arming_never_chooses_a_past_moment(script: Script) -> None:
    schedule = stored(save(script, kind="interval", every_s=10))
    schedules.arm(schedule, now=LATER)
    assert stored(schedule).next_at == NOW + timedelta(seconds=30)


def test_saving_clears_why_it_was_put_aside(script: Script) -> None:
    schedule = save(script, kind="interval", every_s=10)
    schedule.message = "broken"
    schedules.save(schedule, now=NOW)
    assert stored(schedule).message == ""


def test_an_alarm_that_another_thread_took_away_is_set_again(script: Script) -> None:
    schedule = save(script, kind="interval", every_s=10)
    schedules.disarm(stored(schedule))
    schedules.save(schedule, now=NOW)
    assert stored(schedule).next_at == NOW + timedelta(seconds=10)


def test_a_save_does_not_bring_back_an_older_alarm(script: Script) -> None:
    schedule = stored(save(script, kind="interval", every_s=10))
    assert schedule.next_at
    Alarm.objects.update(next_run=LATER)
    schedules.save(schedule, now=NOW)
    assert stored(schedule).next_at == LATER


def test_a_deleted_schedule_is_not_revived_by_a_save(script: Script) -> None:
    schedule = save(script, kind="interval", every_s=10)
    schedules.delete(stored(schedule))
    with pytest.raises(TimingError, match="was deleted meanwhile") as refusal:
        schedules.save(schedule, now=NOW)
    assert (refusal.value.field, Schedule.objects.count(), Alarm.objects.count()) == (
        "schedule",
        0,
        0,
    )


def test_a_deleted_script_gets_no_schedule(script: Script) -> None:
    scripts.delete(Script.objects.get(pk=script.pk), now=NOW)
    with pytest.raises(TimingError, match="was deleted") as refusal:
        save(script, kind="interval", every_s=10)
    assert (refusal.value.field, Schedule.objects.count(), Alarm.objects.count()) == (
        "script",
        0,
        0,
    )


def test_a_script_that_was_switched_off_meanwhile_is_not_armed(script: Script) -> None:
    scripts.update(Script.objects.get(pk=script.pk), by=None, now=NOW, enabled=False)
    assert save(script, kind="interval", every_s=10).alarm is None


def test_arming_goes_by_what_is_stored(script: Script) -> None:
    schedule = save(script, kind="interval", every_s=10)
    schedules.disarm(schedule)
    scripts.update(Script.objects.get(pk=script.pk), by=None, now=NOW, enabled=False)
    schedules.arm(schedule, now=NOW)
    assert Alarm.objects.count() == 0


def test_a_deleted_schedule_is_not_armed(script: Script) -> None:
    schedule = save(script, kind="interval", every_s=10)
    schedules.disarm(schedule)
    schedules.delete(stored(schedule))
    schedules.arm(schedule, now=NOW)
    assert Alarm.objects.count() == 0


def test_deleting_a_schedule_deletes_its_alarm(script: Script) -> None:
    schedules.delete(save(script, kind="interval", every_s=10))
    assert (Schedule.objects.count(), Alarm.objects.count()) == (0, 0)


def test_the_bell_rings_after_the_commit(
    script: Script, django_capture_on_commit_callbacks: OnCommit
) -> None:
    rung: list[object] = []

    def hear(**_: object) -> None:
        rung.append(_)

    schedules.rearmed.connect(hear)
    with django_capture_on_commit_callbacks(execute=True):
        save(script, kind="interval", every_s=10)
        assert rung == []
    schedules.rearmed.disconnect(hear)
    assert len(rung) == 1
