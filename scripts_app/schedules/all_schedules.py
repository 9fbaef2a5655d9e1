"""The list of all schedules: which of them are asked for, when each starts next; and moved on the clock."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from django.db.models import Q, QuerySet

from scripts_app.models import Schedule
from scripts_app.schedules import outlook, schedules
from scripts_app.timing import moved

_NEVER = datetime.max.replace(tzinfo=UTC)
STATES = {
    "on": "On",
    "off": "Off",
    "paused": "Paused",
    "skips": "Skips the next",
    "aside": "Put aside",
    "stale": "Without success",
}


@dataclass(frozen=True, kw_only=True)
class ScheduleRow:
    schedule: Schedule
    next_at: datetime | None
    state: str  # a key of STATES
    zone: str  # where it is not the one in which pages write times

    @cached_property
    def sentence(self) -> str:
        """The timing in words, made for the rows that are shown."""
        return self.schedule.describe()

    @property
    def name(self) -> str:
        return self.schedule.script.name

    @property
    def state_words(self) -> str:
        return STATES[self.state]


def rows(words: str = "", state: str = "", *, now: datetime) -> list[ScheduleRow]:
    """Return the schedules of all scripts, the next to start first; those that start nothing come last. One query."""
    found = [_row(schedule, now) for schedule in _named(words)]
    if state in STATES:
        found = [row for row in found if row.state == state]
    return sorted(found, key=_place)


def move(schedule: Schedule, minutes: int, *, now: datetime) -> None:
    """Move a schedule later, or earlier, on the clock. Raise TimingError where that has no meaning."""
    if schedule.kind == Schedule.Kind.INTERVAL and schedule.start_at is None:
        schedule.start_at = schedule.next_at  # its grid gets a beginning that can be moved
    timing = moved.moved(schedule.timing, minutes)
    schedule.cron = timing.cron
    schedule.at = timing.at
    schedule.start_at = timing.start_at
    schedules.save(schedule, now=now)


def change(schedule: Schedule, *, now: datetime, **values: Any) -> None:
    """Save other values of some fields. Raise TimingError."""
    for name, value in values.items():
        setattr(schedule, name, value)
    schedules.save(schedule, now=now)


def chosen(pks: Iterable[str]) -> QuerySet[Schedule]:
    """Return the schedules with these primary keys, of scripts that were not deleted."""
    numbers = [int(pk) for pk in pks if pk.isascii() and pk.isdecimal() and len(pk) < 19]
    return outlook.with_pause(Schedule.objects.filter(pk__in=numbers, script__deleted_at=None))


def _named(words: str) -> Iterable[Schedule]:
    present = outlook.with_pause(Schedule.objects.filter(script__deleted_at=None))
    if words:
        present = present.filter(Q(script__name__icontains=words) | Q(script__slug=words))
    return present


def _row(schedule: Schedule, now: datetime) -> ScheduleRow:
    return ScheduleRow(
        schedule=schedule,
        next_at=outlook.next_start(schedule, now),
        state=_state(schedule, now),
        zone=schedule.other_zone,
    )


def _state(schedule: Schedule, now: datetime) -> str:
    if schedule.message:
        return "aside"
    if not schedules.may_fire(schedule):
        return "off"
    if schedule.is_paused(now):
        return "skips" if outlook.skipped_start(schedule, now) else "paused"
    return "stale" if schedule.stale_since else "on"


def _place(row: ScheduleRow) -> tuple[datetime, str, int]:
    return row.next_at or _NEVER, row.name.casefold(), row.schedule.pk
