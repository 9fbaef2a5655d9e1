"""Schedules: saved whole or refused, and armed: each has one alarm that holds its next due moment."""

import math
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Field
from django.dispatch import Signal
from django_q.models import Schedule as Alarm

from scripts_app.inputs import parameters
from scripts_app.models import Schedule, Script
from scripts_app.timing import rule
from scripts_app.timing.rule import TimingError
from tempo_site.audit import trail

# Alarms are read by Tempo's ticker alone; a cluster of their own keeps django-q2's scheduler away from them. Their rows
# have to name a function all the same.
CLUSTER = "alarms"
FUNCTION = "runs_app.tasks.never_called_by_q2"

# Sent without arguments after a commit that brought, moved or ended due moments: look again which is next, and which
# runs are still wanted.
rearmed = Signal()

_TIMING = ("kind", "cron", "every_s", "at", "timezone", "start_at", "end_at", "jitter_s", "delay_s")
_GRID = ("kind", "every_s", "start_at")
_REPEATED = {"start_at", "end_at", "jitter_s"}
_FIELDS_OF_KIND = {
    Schedule.Kind.CRON: {"cron", *_REPEATED},
    Schedule.Kind.INTERVAL: {"every_s", "anchor", *_REPEATED},
    Schedule.Kind.ONCE: {"at"},
    Schedule.Kind.STARTUP: {"delay_s"},
}
_AUDITED = (
    *_TIMING,
    "params",
    "enabled",
    "paused_until",
    "overlap",
    "max_parallel",
    "missed",
    "missed_cap",
    "retries",
)
_STORED = (*_AUDITED, "anchor", "alarm", "paused_at")
_NUMBERS = (
    "jitter_s",
    "delay_s",
    "max_parallel",
    "missed_cap",
    "retries",
    "retry_delay_s",
    "retry_max_delay_s",
)

_CHOICES = {
    "kind": Schedule.Kind,
    "overlap": Schedule.Overlap,
    "missed": Schedule.Missed,
    "retry_backoff": Schedule.Backoff,
}
_EMPTY = {
    "cron": "",
    "every_s": None,
    "at": None,
    "anchor": None,
    "start_at": None,
    "end_at": None,
    "jitter_s": 0,
    "delay_s": 0,
}


def save(schedule: Schedule, *, now: datetime) -> Schedule:
    """Validate, store and arm a schedule; fields of other kinds are cleared.

    An interval's first due moment is one interval after `now`; later saves keep the grid unless kind or length change.
    A due moment that is not served yet survives a save which leaves the timing alone.
    Setting `paused_until` pauses from now on; clearing `paused_until` or setting another time ends or moves the pause.
    Raise TimingError (its field is the schedule's; `schedule` or `script` when that row was deleted).
    """
    _check_choices(schedule)
    _check_numbers(schedule)
    _clear_other_kinds(schedule)
    with transaction.atomic():
        stored = _read_stored(schedule)
        schedule.script = _present_script(schedule)
        _check_inputs(schedule, stored)
        is_new_timing = _check_timing(schedule, stored, now)
        _set_pause(schedule, stored, now)
        schedule.message = ""
        # The ticker may have changed the alarm meanwhile.
        schedule.alarm_id = stored.get("alarm")
        schedule.save()
        changes = trail.differences(stored, trail.facts(schedule, _AUDITED)) if stored else {}
        trail.record("changed" if stored else "created", schedule, changes=changes)
        if is_new_timing:
            _arm(schedule, now=now)
        else:
            _arm_if_needed(schedule, now=now)
        if not may_fire(schedule):
            ring_on_commit()  # also where there was no alarm: what waits for it is not wanted any more
    return schedule


def check(schedule: Schedule, *, now: datetime) -> None:
    """Raise TimingError like save(), and store nothing; the schedule at hand is changed as by save()."""
    _check_choices(schedule)
    _check_numbers(schedule)
    _clear_other_kinds(schedule)
    _check_timing(schedule, _read_stored(schedule), now)


def check_new(schedule: Schedule, *, now: datetime) -> None:
    """Raise TimingError like save(), for a schedule that create_all() is to store; its script may not be stored yet."""
    check(schedule, now=now)
    _check_inputs(schedule, {})


def create_all(checked: Sequence[Schedule], *, now: datetime) -> None:
    """Store and arm new schedules that check_new() has passed; their scripts are stored."""
    with transaction.atomic():
        Schedule.objects.bulk_create(checked)
        trail.record_all("created", checked)
        alarms = []
        for schedule in checked:
            due = rule.next_after(schedule.timing, now) if has_moments(schedule) else None
            if due is not None:
                schedule.alarm = _unsaved_alarm(schedule, due)
                alarms.append(schedule.alarm)
        Alarm.objects.bulk_create(alarms)
        armed = [schedule for schedule in checked if schedule.alarm is not None]
        Schedule.objects.bulk_update(armed, ["alarm"])
        ring_on_commit()


def delete(schedule: Schedule) -> None:
    with transaction.atomic():
        disarm(schedule)
        trail.record("deleted", schedule)
        schedule.delete()
        ring_on_commit()


def arm(schedule: Schedule, *, now: datetime) -> None:
    """Set the alarm to the first due moment after `now`, or delete the alarm when there is none or nothing may fire.

    The stored row counts, not the fields of `schedule`; nothing happens when the row was deleted.
    """
    with transaction.atomic(), suppress(Schedule.DoesNotExist):
        schedule.refresh_from_db()
        _arm(schedule, now=now)


def arm_at(schedule: Schedule, instant: datetime) -> None:
    with transaction.atomic():
        if schedule.alarm is None:
            schedule.alarm = _new_alarm(schedule, instant)
            schedule.save(update_fields=["alarm"])
        else:
            Alarm.objects.filter(pk=schedule.alarm.pk).update(next_run=instant)
        ring_on_commit()


def bring_grid_back(schedule: Schedule, *, now: datetime) -> None:
    """Move the grid of an interval that was saved by a clock ahead: it begins now or before, the same moments on it."""
    anchor = schedule.anchor
    if schedule.every_s and anchor is not None and schedule.start_at is None and anchor > now:
        step = timedelta(seconds=schedule.every_s)
        schedule.anchor = anchor - step * math.ceil((anchor - now) / step)


def disarm(schedule: Schedule) -> None:
    if schedule.alarm is None:
        return
    with transaction.atomic():
        schedule.alarm.delete()  # sets the stored schedule's reference to NULL
        schedule.alarm = None
        ring_on_commit()


def rearm(script: Script, *, now: datetime) -> None:
    """Arm or disarm all schedules of a script after the script was enabled or disabled, deleted or restored."""
    rows = Schedule.objects.filter(script=script)
    with transaction.atomic():
        for schedule in rows.select_related("script", "alarm"):
            _arm_if_needed(schedule, now=now)
        ring_on_commit()


def may_fire(schedule: Schedule) -> bool:
    return schedule.enabled and schedule.script.enabled and schedule.script.deleted_at is None


def has_moments(schedule: Schedule) -> bool:
    """Whether its moments are due at all: a single moment has its row in the ledger also when nothing may start."""
    return may_fire(schedule) or schedule.kind == Schedule.Kind.ONCE


def ring_on_commit() -> None:
    transaction.on_commit(lambda: rearmed.send(sender=Schedule), robust=True)


# An armed schedule keeps its alarm: a due moment that is not served yet must not be jumped over.
def _arm_if_needed(schedule: Schedule, *, now: datetime) -> None:
    if schedule.alarm is None or not has_moments(schedule):
        _arm(schedule, now=now)


# For rows that were read or stored in this very transaction.
def _arm(schedule: Schedule, *, now: datetime) -> None:
    due = rule.next_after(schedule.timing, now) if has_moments(schedule) else None
    if due is None:
        disarm(schedule)
        return
    if schedule.alarm is None:
        schedule.alarm = _new_alarm(schedule, due)
        schedule.save(update_fields=["alarm"])
    else:
        schedule.alarm.next_run = due
        Alarm.objects.filter(pk=schedule.alarm.pk).update(next_run=due)
    ring_on_commit()


def _new_alarm(schedule: Schedule, due: datetime) -> Alarm:
    alarm = _unsaved_alarm(schedule, due)
    alarm.save()
    return alarm


def _unsaved_alarm(schedule: Schedule, due: datetime) -> Alarm:
    return Alarm(
        name=f"schedule {schedule.pk}",
        func=FUNCTION,
        schedule_type=Alarm.ONCE,
        cluster=CLUSTER,
        next_run=due,
    )


# The stored fields; empty for a new schedule.
def _read_stored(schedule: Schedule) -> dict[str, Any]:
    if schedule._state.adding:
        return {}
    rows = Schedule.objects.filter(pk=schedule.pk)
    stored = rows.values(*_STORED).first() or {}
    # A save must not bring a deleted schedule back.
    if not stored:
        hint = "give the script a new one"
        raise TimingError("schedule", f"This schedule was deleted meanwhile\nhint: {hint}")
    return stored


# The script at hand may be from before it was disabled.
def _present_script(schedule: Schedule) -> Script:
    script = (
        Script.objects.present()
        .select_related("version")
        .defer("version__code", "version__requirements")
        .filter(pk=schedule.script_id)
        .first()
    )
    if script is None:
        raise TimingError("script", "The script of this schedule was deleted")
    return script


def _check_choices(schedule: Schedule) -> None:
    for name, choices in _CHOICES.items():
        value = getattr(schedule, name)
        if value not in choices.values:
            allowed = ", ".join(choices.values)
            raise TimingError(name, f"`{value}` is no value of `{name}`: use {allowed}")


def _check_numbers(schedule: Schedule) -> None:
    for name in _NUMBERS:
        field = Schedule._meta.get_field(name)
        assert isinstance(field, Field)
        value = getattr(schedule, name)
        try:
            field.run_validators(value)
        except ValidationError as error:
            sentence = " ".join(error.messages)
            raise TimingError(name, f"`{name}` is {value}. {sentence}") from error


def _clear_other_kinds(schedule: Schedule) -> None:
    kind = Schedule.Kind(schedule.kind)
    for name in _EMPTY.keys() - _FIELDS_OF_KIND[kind]:
        setattr(schedule, name, _EMPTY[name])


# Wrong inputs are refused, and to switch on a schedule that would start nothing. Inputs that the script's code asks for
# since then are no reason to refuse a pause or another timing.
def _check_inputs(schedule: Schedule, stored: dict[str, Any]) -> None:
    is_new = not stored or stored["params"] != schedule.params
    was_off = bool(stored) and not stored["enabled"]
    try:
        if is_new:
            inputs = parameters.check_schedule_inputs(schedule.script, schedule.params)
            schedule.params = dict(inputs)
        if schedule.enabled and (is_new or was_off):
            parameters.check_inputs(schedule.script, schedule.params)
    except parameters.InputError as error:
        name = next(iter(error.fields))
        field = name if name == "params" else f"params.{name}"
        hint = "give the schedule these inputs, or save it switched off"
        raise TimingError(field, f"Its runs could not start: {error}\nhint: {hint}") from error


# Whether the timing is a new one. An interval gets its grid here; timings that can never be due are refused.
def _check_timing(schedule: Schedule, stored: dict[str, Any], now: datetime) -> bool:
    schedule.anchor = _anchor(schedule, stored, now)
    rule.check(schedule.timing)
    is_new = not stored or _differs(schedule, stored, _TIMING)
    if is_new:
        _refuse_the_past(schedule, now)
    return is_new


def _anchor(schedule: Schedule, stored: dict[str, Any], now: datetime) -> datetime | None:
    if schedule.kind != Schedule.Kind.INTERVAL:
        return schedule.anchor
    if not stored or _differs(schedule, stored, _GRID):
        return schedule.start_at or now
    anchor: datetime | None = stored["anchor"]
    return anchor


def _differs(schedule: Schedule, stored: dict[str, Any], names: Iterable[str]) -> bool:
    return any(stored[name] != getattr(schedule, name) for name in names)


# Nobody can mean a time that has passed; a schedule that is switched off may keep it.
def _refuse_the_past(schedule: Schedule, now: datetime) -> None:
    if not schedule.enabled:
        return
    ends = {"end_at": schedule.end_at}
    if schedule.kind == Schedule.Kind.ONCE:
        ends["at"] = schedule.at
    for name, end in ends.items():
        if end and end <= now:
            text = end.isoformat(sep=" ", timespec="seconds")
            raise TimingError(name, f"{text} is in the past")


# The beginning of a pause is kept: its due moments are recorded when the pause ends, also when that is early.
def _set_pause(schedule: Schedule, stored: dict[str, Any], now: datetime) -> None:
    until = schedule.paused_until
    began: datetime | None = stored.get("paused_at")
    stored_until: datetime | None = stored.get("paused_until")
    was_open = stored_until is not None and stored_until > now
    if until == stored_until:
        schedule.paused_at = began
        return
    if until is not None and until <= now:
        sentence = "The pause would be over already: name a time to come"
        raise TimingError("paused_until", sentence)
    if was_open:
        schedule.paused_at = began
        if until is None:
            schedule.paused_until = now  # the pause ends here
    elif until is None:
        schedule.paused_at = None
    else:
        schedule.paused_at = now
