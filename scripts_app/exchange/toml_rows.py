"""Schedules and variables of a script as rows of `script.toml`: what differs from the defaults, in a fixed order."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Field

from scripts_app.exchange.items import Row
from scripts_app.models import Schedule, Variable
from scripts_app.timing import rule
from scripts_app.timing.rule import TimingError

SCHEDULE_FIELDS = (
    *("kind", "cron", "every_s", "at", "timezone", "enabled", "start_at", "end_at"),
    *("jitter_s", "delay_s", "overlap", "max_parallel", "missed", "missed_cap"),
    *("retries", "retry_delay_s", "retry_backoff", "retry_max_delay_s", "params"),
)
ALWAYS_WRITTEN = ("kind", "timezone", "enabled")
MOMENTS = ("at", "start_at", "end_at")


def schedules_of(keys: Collection[int]) -> Mapping[int, list[Row]]:
    """Return the rows of schedules by the key of their script."""
    found: dict[int, list[Row]] = {}
    for schedule in Schedule.objects.filter(script__in=keys).order_by("pk"):
        found.setdefault(schedule.script_id, []).append(_row_of(schedule))
    return found


def variables_of(keys: Collection[int]) -> Mapping[int, list[Row]]:
    """Return the rows of variables by the key of their script; the value of a secret is in none of them."""
    found: dict[int, list[Row]] = {}
    for variable in Variable.objects.filter(script__in=keys).order_by("name"):
        row: Row = {"name": variable.name, "value": variable.value}
        if variable.is_secret:
            row = {"name": variable.name, "secret": True}
        found.setdefault(variable.script_id or 0, []).append(row)
    return found


def schedule_of(row: Mapping[str, Any]) -> Schedule:
    """Return a schedule, not stored, of a row. Raise TimingError."""
    unknown = sorted(row.keys() - set(SCHEDULE_FIELDS))
    if unknown:
        raise TimingError("kind", f"`{unknown[0][:60]}` is no field of a schedule")
    schedule = Schedule()
    for name, value in row.items():
        setattr(schedule, name, _checked(name, value))
    return schedule


def are_same_schedules(rows: Sequence[Row], others: Sequence[Row], *, with_switches: bool) -> bool:
    """Whether two lists of schedules say the same, whichever of them are on unless `with_switches`."""
    if with_switches:
        return list(rows) == list(others)
    return [_without_switch(row) for row in rows] == [_without_switch(row) for row in others]


def _without_switch(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "enabled"}


def _row_of(schedule: Schedule) -> Row:
    row = {}
    for name in SCHEDULE_FIELDS:
        value = getattr(schedule, name)
        if name in ALWAYS_WRITTEN or value != _field(name).get_default():
            row[name] = value
    return row


def _checked(name: str, value: Any) -> Any:
    if name in MOMENTS:
        is_moment = isinstance(value, datetime) and value.tzinfo is not None
        if not is_moment or value.year not in rule.YEARS:
            raise TimingError(name, f"`{name}` has to be a time with its zone")
        return value
    expected = int if name == "every_s" else type(_field(name).get_default())
    if issubclass(expected, str):  # also where the default is a choice's name
        expected = str
    if type(value) is not expected:
        raise TimingError(name, f"`{name}` has to be of another type: {expected.__name__}")
    return value


def _field(name: str) -> "Field[Any, Any]":
    field = Schedule._meta.get_field(name)
    assert isinstance(field, Field)
    return field
