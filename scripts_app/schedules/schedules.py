"""Schedules: saved whole or refused, and armed: each has one alarm that holds its next due moment."""

from contextlib import suppress
from datetime import datetime
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

# Alarms are read by Tempo's ticker alone; a cluster of their own keeps django-q2's scheduler away from them.
CLUSTER = "alarms"
FUNCTION = "runs_app.scheduler.ticker.never_called_by_q2"

rearmed = (
    Signal()
)  # sent after a commit that brought or moved a moment, without arguments: look again which is next

_RHYTHM = ("kind", "cron", "every_s", "at", "timezone", "start_at", "end_at", "jitter_s", "delay_s")
_REPEATED = {"start_at", "end_at", "jitter_s"}
_FIELDS_OF_KIND = {
    Schedule.Kind.CRON: {"cron", *_REPEATED},
    Schedule.Kind.INTERVAL: {"every_s", "anchor", *_REPEATED},
    Schedule.Kind.ONCE: {"at"},
    Schedule.Kind.STARTUP: {"delay_s"},
}
_STORED = (*_RHYTHM, "params", "enabled", "anchor", "alarm", "paused_at", "paused_until")
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

    An interval's first moment is one interval after `now`; later saves keep its grid unless kind or length change.
    A due moment that nobody has served yet survives a save which leaves the rhythm alone.
    Setting `paused_until` pauses it from now on; clearing it, or setting another moment, ends or moves that pause.
    Raises TimingError (its field is the schedule's; `schedule` or `script` when that was deleted).
    """
    _check_choices(schedule)
    _check_numbers(schedule)
    _clear_other_kinds(schedule)
    with transaction.atomic():
        stored = _stored(schedule)
        schedule.script = _present_script(schedule)
        _check_params(schedule, stored)
        is_new_rhythm = _check_rhythm(schedule, stored, now)
        _set_pause(schedule, stored, now)
        schedule.message = ""
        schedule.alarm_id = (
            stored["alarm"] if stored else None
        )  # the ticker may have changed it meanwhile
        schedule.save()
        _arm_if_needed(schedule, now=now, again=is_new_rhythm)
    return schedule


def check(schedule: Schedule, *, now: datetime) -> None:
    """Raise TimingError for what save() would refuse, and store nothing; the schedule at hand is left as save() would.

    For previews: they cannot promise what a save then refuses.
    """
    _check_choices(schedule)
    _check_numbers(schedule)
    _clear_other_kinds(schedule)
    _check_rhythm(schedule, _stored(schedule), now)


def _check_rhythm(schedule: Schedule, stored: dict[str, Any] | None, now: datetime) -> bool:
    """Give an interval its grid and refuse what can never be due; returns whether the rhythm is a new one."""
    _set_anchor(schedule, stored, now)
    rule.check(schedule.timing)
    is_new = stored is None or any(stored[name] != getattr(schedule, name) for name in _RHYTHM)
    if is_new:
        _refuse_the_past(schedule, now)
    return is_new


def _stored(schedule: Schedule) -> dict[str, Any] | None:
    """What is stored of it; None for a new one. Raises TimingError when it was deleted: a save must not revive it."""
    stored: dict[str, Any] | None = Schedule.objects.filter(pk=schedule.pk).values(*_STORED).first()
    if schedule.pk is not None and stored is None:
        raise TimingError(
            "schedule", "This schedule was deleted meanwhile\nhint: give the script a new one"
        )
    return stored


def _present_script(schedule: Schedule) -> Script:
    """Its script as it is stored: the one at hand may be from before it was disabled. Raises TimingError."""
    rows = (
        Script.objects.present()
        .select_related("version")
        .defer("version__code", "version__requirements")
    )
    script = rows.filter(pk=schedule.script_id).first()
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
    due = rule.next_after(schedule.timing, now) if may_fire(schedule) else None
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


def arm_at(schedule: Schedule, moment: datetime) -> None:
    """Set the alarm to a moment of the caller's: a start-up that is put off."""
    with transaction.atomic():
        if schedule.alarm is None:
            schedule.alarm = _new_alarm(schedule, moment)
            schedule.save(update_fields=["alarm"])
        else:
            Alarm.objects.filter(pk=schedule.alarm.pk).update(next_run=moment)
        ring_on_commit()


def disarm(schedule: Schedule) -> None:
    """Take a schedule's alarm away."""
    if schedule.alarm is None:
        return
    with transaction.atomic():
        schedule.alarm.delete()  # sets the stored schedule's reference to NULL
        schedule.alarm = None
        ring_on_commit()


def rearm(script: Script, *, now: datetime) -> None:
    """Arm or disarm all schedules of a script after it was enabled or disabled, deleted or restored."""
    with transaction.atomic():
        for schedule in Schedule.objects.filter(script=script).select_related("script", "alarm"):
            _arm_if_needed(schedule, now=now, again=False)


def _arm_if_needed(schedule: Schedule, *, now: datetime, again: bool) -> None:
    """Arm unless it is armed already: its moment may be due and not served yet, and must not be jumped over."""
    if again or schedule.alarm is None or not may_fire(schedule):
        _arm(schedule, now=now)


def may_fire(schedule: Schedule) -> bool:
    """Whether it and its script are enabled and present."""
    return schedule.enabled and schedule.script.enabled and schedule.script.deleted_at is None


def _new_alarm(schedule: Schedule, due: datetime) -> Alarm:
    return Alarm.objects.create(
        name=f"schedule {schedule.pk}",
        func=FUNCTION,
        schedule_type=Alarm.ONCE,
        cluster=CLUSTER,
        next_run=due,
    )


def ring_on_commit() -> None:
    """Have the ticker look again which moment is next, once what was changed is committed."""
    transaction.on_commit(lambda: rearmed.send(sender=Schedule), robust=True)


def _check_choices(schedule: Schedule) -> None:
    for name, choices in _CHOICES.items():
        value = getattr(schedule, name)
        if value not in choices.values:
            raise TimingError(
                name, f"`{value}` is no value of `{name}`: use {', '.join(choices.values)}"
            )


def _clear_other_kinds(schedule: Schedule) -> None:
    for name in _EMPTY.keys() - _FIELDS_OF_KIND[Schedule.Kind(schedule.kind)]:
        setattr(schedule, name, _EMPTY[name])


def _check_numbers(schedule: Schedule) -> None:
    """Refuse what the model's own bounds refuse. Raises TimingError."""
    for name in _NUMBERS:
        field, value = Schedule._meta.get_field(name), getattr(schedule, name)
        assert isinstance(field, Field)
        try:
            field.run_validators(value)
        except ValidationError as error:
            label = name.removesuffix("_s").replace("_", " ")
            raise TimingError(name, f"{label} {value}: {' '.join(error.messages)}") from error


def _check_params(schedule: Schedule, stored: dict[str, Any] | None) -> None:
    """Refuse inputs that are not right, and to switch on what would start nothing. Raises TimingError.

    What the script's code asks for since it was switched on is no reason to refuse a pause or another rhythm.
    """
    is_new = stored is None or stored["params"] != schedule.params
    try:
        if is_new:
            schedule.params = dict(parameters.check_schedule_inputs(schedule.script, schedule.params))
        if schedule.enabled and (is_new or (stored and not stored["enabled"])):
            parameters.check_inputs(schedule.script, schedule.params)
    except parameters.InputError as error:
        name = next(iter(error.fields))
        hint = "give the schedule these inputs, or save it switched off"
        field = name if name == "params" else f"params.{name}"
        raise TimingError(field, f"Its runs could not start: {error}\nhint: {hint}") from error


def _set_pause(schedule: Schedule, stored: dict[str, Any] | None, now: datetime) -> None:
    """Keep when a pause began: what is due in it is recorded at its end, also when that comes early."""
    until = schedule.paused_until
    was_until = stored["paused_until"] if stored else None
    was_open = was_until is not None and was_until > now
    if until == was_until:
        schedule.paused_at = stored["paused_at"] if stored else (now if until else None)
    elif until is None or until <= now:
        if until is not None:
            raise TimingError(
                "paused_until", "the pause would be over already: name a moment to come"
            )
        schedule.paused_at, schedule.paused_until = (
            (stored["paused_at"], now) if stored and was_open else (None, None)
        )
    else:
        schedule.paused_at = stored["paused_at"] if stored and was_open else now


def _set_anchor(schedule: Schedule, stored: dict[str, Any] | None, now: datetime) -> None:
    if schedule.kind != Schedule.Kind.INTERVAL:
        return
    names = ("kind", "every_s", "start_at")
    is_same_grid = stored and all(stored[name] == getattr(schedule, name) for name in names)
    schedule.anchor = stored["anchor"] if stored and is_same_grid else schedule.start_at or now


def _refuse_the_past(schedule: Schedule, now: datetime) -> None:
    """A moment that has passed can be no one's intention; with `enabled` off it may be kept."""
    if schedule.enabled and schedule.end_at and schedule.end_at <= now:
        raise TimingError(
            "end_at", f"{schedule.end_at.isoformat(sep=' ', timespec='seconds')} is in the past"
        )
    if (
        schedule.kind == Schedule.Kind.ONCE
        and schedule.enabled
        and schedule.at
        and schedule.at <= now
    ):
        raise TimingError(
            "at", f"{schedule.at.isoformat(sep=' ', timespec='seconds')} is in the past"
        )
