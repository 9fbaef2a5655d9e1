"""Schedules: saved whole or refused, and armed: each has one alarm that holds its next due moment."""

from contextlib import suppress
from datetime import datetime
from typing import Any

from django.db import transaction
from django.dispatch import Signal
from django_q.models import Schedule as Alarm

from scripts_app import timing
from scripts_app.models import Schedule, Script
from scripts_app.timing import TimingError

# Alarms are read by Tempo's ticker alone; a cluster of their own keeps django-q2's scheduler away from them.
CLUSTER = "alarms"
FUNCTION = "runs_app.scheduler.never_called_by_q2"

rearmed = Signal()  # sent after a commit that moved an alarm, without arguments: look again which one is next

_RHYTHM = ("kind", "cron", "every_s", "at", "timezone")
_FIELDS_OF_KIND = {
    Schedule.Kind.CRON: {"cron"},
    Schedule.Kind.INTERVAL: {"every_s", "anchor"},
    Schedule.Kind.ONCE: {"at"},
    Schedule.Kind.STARTUP: set(),
}
_CHOICES = {"kind": Schedule.Kind, "overlap": Schedule.Overlap, "missed": Schedule.Missed}
_EMPTY = {"cron": "", "every_s": None, "at": None, "anchor": None}


def save(schedule: Schedule, *, now: datetime) -> Schedule:
    """Validate, store and arm a schedule; fields of other kinds are cleared.

    An interval's first moment is one interval after `now`; later saves keep its grid unless kind or length change.
    A due moment that nobody has served yet survives a save which leaves the rhythm alone.
    Raises TimingError (field kind, cron, every_s, at, timezone, overlap or missed; `schedule` or `script` when that
    was deleted).
    """
    _check_choices(schedule)
    _clear_other_kinds(schedule)
    with transaction.atomic():
        stored = _stored(schedule)
        schedule.script = _present_script(schedule)
        is_new_rhythm = _check_rhythm(schedule, stored, now)
        schedule.message = ""
        schedule.alarm_id = stored["alarm"] if stored else None  # the ticker may have changed it meanwhile
        schedule.save()
        _arm_if_needed(schedule, now=now, again=is_new_rhythm)
    return schedule


def check(schedule: Schedule, *, now: datetime) -> None:
    """Raise TimingError for what save() would refuse, and store nothing; the schedule at hand is left as save() would.

    For previews: they cannot promise what a save then refuses.
    """
    _check_choices(schedule)
    _clear_other_kinds(schedule)
    _check_rhythm(schedule, _stored(schedule), now)


def _check_rhythm(schedule: Schedule, stored: dict[str, Any] | None, now: datetime) -> bool:
    """Give an interval its grid and refuse what can never be due; returns whether the rhythm is a new one."""
    _set_anchor(schedule, stored, now)
    timing.check(schedule.timing)
    is_new = stored is None or any(stored[name] != getattr(schedule, name) for name in _RHYTHM)
    if is_new:
        _refuse_the_past(schedule, now)
    return is_new


def _stored(schedule: Schedule) -> dict[str, Any] | None:
    """What is stored of it; None for a new one. Raises TimingError when it was deleted: a save must not revive it."""
    stored: dict[str, Any] | None = Schedule.objects.filter(pk=schedule.pk).values(*_RHYTHM, "anchor", "alarm").first()
    if schedule.pk is not None and stored is None:
        raise TimingError("schedule", "This schedule was deleted meanwhile\nhint: give the script a new one")
    return stored


def _present_script(schedule: Schedule) -> Script:
    """Its script as it is stored: the one at hand may be from before it was disabled. Raises TimingError."""
    script = Script.objects.present().filter(pk=schedule.script_id).first()
    if script is None:
        raise TimingError("script", "The script of this schedule was deleted")
    return script


def delete(schedule: Schedule) -> None:
    """Delete a schedule with its alarm; the runs it started stay."""
    with transaction.atomic():
        disarm(schedule)
        schedule.delete()


def arm(schedule: Schedule, *, now: datetime) -> None:
    """Set the alarm to the first due moment after `now`; take it away when there is none or nothing may fire.

    What is stored counts, not what `schedule` remembers; nothing happens when it was deleted.
    """
    with transaction.atomic(), suppress(Schedule.DoesNotExist):
        schedule.refresh_from_db()
        _arm(schedule, now=now)


def _arm(schedule: Schedule, *, now: datetime) -> None:
    """Arm what was read or stored in this very transaction."""
    due = timing.next_after(schedule.timing, now) if _may_fire(schedule) else None
    if due is None:
        disarm(schedule)
        return
    if schedule.alarm is None:
        schedule.alarm = _new_alarm(schedule, due)
        schedule.save(update_fields=["alarm"])
    else:
        schedule.alarm.next_run = due
        Alarm.objects.filter(pk=schedule.alarm.pk).update(next_run=due)
    _ring_on_commit()


def disarm(schedule: Schedule) -> None:
    """Take a schedule's alarm away."""
    if schedule.alarm is None:
        return
    with transaction.atomic():
        schedule.alarm.delete()  # sets the stored schedule's reference to NULL
        schedule.alarm = None
        _ring_on_commit()


def rearm(script: Script, *, now: datetime) -> None:
    """Arm or disarm all schedules of a script after it was enabled or disabled, deleted or restored."""
    with transaction.atomic():
        for schedule in Schedule.objects.filter(script=script).select_related("script", "alarm"):
            _arm_if_needed(schedule, now=now, again=False)


def _arm_if_needed(schedule: Schedule, *, now: datetime, again: bool) -> None:
    """Arm unless it is armed already: its moment may be due and not served yet, and must not be jumped over."""
    if again or schedule.alarm is None or not _may_fire(schedule):
        _arm(schedule, now=now)


def _may_fire(schedule: Schedule) -> bool:
    return schedule.enabled and schedule.script.enabled and schedule.script.deleted_at is None


def _new_alarm(schedule: Schedule, due: datetime) -> Alarm:
    return Alarm.objects.create(
        name=f"schedule {schedule.pk}", func=FUNCTION, schedule_type=Alarm.ONCE, cluster=CLUSTER, next_run=due
    )


def _ring_on_commit() -> None:
    transaction.on_commit(lambda: rearmed.send(sender=Schedule), robust=True)


def _check_choices(schedule: Schedule) -> None:
    for name, choices in _CHOICES.items():
        value = getattr(schedule, name)
        if value not in choices.values:
            raise TimingError(name, f"`{value}` is no value of `{name}`: use {', '.join(choices.values)}")


def _clear_other_kinds(schedule: Schedule) -> None:
    for name in _EMPTY.keys() - _FIELDS_OF_KIND[Schedule.Kind(schedule.kind)]:
        setattr(schedule, name, _EMPTY[name])


def _set_anchor(schedule: Schedule, stored: dict[str, Any] | None, now: datetime) -> None:
    if schedule.kind != Schedule.Kind.INTERVAL:
        return
    is_same_grid = stored and stored["kind"] == schedule.kind and stored["every_s"] == schedule.every_s
    schedule.anchor = stored["anchor"] if stored and is_same_grid else now


def _refuse_the_past(schedule: Schedule, now: datetime) -> None:
    """A moment that has passed can be no one's intention; with `enabled` off it may be kept."""
    if schedule.kind == Schedule.Kind.ONCE and schedule.enabled and schedule.at and schedule.at <= now:
        raise TimingError("at", f"{schedule.at.isoformat(sep=' ', timespec='seconds')} is in the past")
