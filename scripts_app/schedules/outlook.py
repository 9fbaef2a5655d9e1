"""What schedules will start next, pauses included, and which have gone without a success for too long."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery

from scripts_app.models import Pause, Schedule, Script
from scripts_app.schedules import global_pause, schedules
from scripts_app.timing import rule
from scripts_app.timing.rule import TimingError

# With missed=skip, a moment older than this is not served any more. The ticker goes by it.
LATE_IS_MISSED = timedelta(seconds=60)
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True)
class Start:
    schedule: Schedule
    at: datetime


def next_start(schedule: Schedule, now: datetime) -> datetime | None:
    """Return when a schedule starts its next run, or None when no start can be foreseen.

    A pause until further notice has no end; a start-up schedule has a moment only while its delay lasts. None as well
    for a row that was broken from outside. Rows of `with_pause` cost no query, other rows cost one for the pause.
    """
    due = schedule.next_at
    if due is None or not schedules.may_fire(schedule):
        return None
    pause_of_all = _pause_of_all(schedule)
    if pause_of_all is not None and pause_of_all.until is None:
        return None
    try:
        return _start_behind_pauses(schedule, due, _pauses(schedule, pause_of_all), now)
    except TimingError:
        return None


def skip_next(schedule: Schedule, *, now: datetime) -> Schedule:
    """Pause a schedule over its next start, which is recorded as skipped. Raise TimingError where none is to come."""
    at = next_start(schedule, now)
    if at is None:
        raise TimingError("schedule", "No start is to come that could be skipped")
    schedule.paused_until = at + _TICK
    return schedules.save(schedule, now=now)


def skipped_start(schedule: Schedule, now: datetime) -> datetime | None:
    """Return the start to come that a pause is over, where it is over that one alone, as `skip_next` makes it."""
    since, until = schedule.paused_at, schedule.paused_until
    if since is None or until is None or until <= now:
        return None
    try:
        first = rule.next_after(schedule.timing, since)
    except TimingError:
        return None
    return first if first == until - _TICK else None


def with_pause(rows: QuerySet[Schedule]) -> QuerySet[Schedule]:
    """Add script, alarm and the pause of all schedules, which `next_start` looks at, to the query of the rows."""
    pause = Pause.objects.order_by("pk")
    return rows.select_related("alarm", "script").annotate(
        all_paused_since=Subquery(pause.values("since")[:1]),
        all_paused_until=Subquery(pause.values("until")[:1]),
    )


def first_start(rows: Iterable[Schedule], now: datetime) -> Start | None:
    first: Start | None = None
    for schedule in rows:
        at = next_start(schedule, now)
        if at is not None and (first is None or at < first.at):
            first = Start(schedule=schedule, at=at)
    return first


def due_next(now: datetime, *, limit: int) -> list[Schedule]:
    """Return the schedules that start something next, in that order, those that are paused left out. One query."""
    rows = Schedule.objects.armed().filter(alarm__isnull=False).exclude(paused_until__gt=now)
    return list(with_pause(rows).order_by("alarm__next_run")[:limit])


def with_alarms(rows: QuerySet[Script]) -> QuerySet[Any]:
    """Add what `set_next_starts` looks at, and `starts_with_tempo`: whether a start-up schedule may fire.

    `first_alarm` is the first due moment, whether or not a pause lets it start anything.
    """
    armed = Schedule.objects.armed().filter(script=OuterRef("pk"))
    ringing = armed.filter(alarm__isnull=False)
    first = ringing.order_by("alarm__next_run").values("alarm__next_run")
    return rows.annotate(
        first_alarm=Subquery(first[:1]),
        is_touched_by_pause=Exists(ringing.filter(_is_before_end_of_pause())),
        starts_with_tempo=Exists(armed.filter(kind=Schedule.Kind.STARTUP)),
    )


def set_next_starts(scripts: Collection[Any], now: datetime) -> None:
    """Set `next_at`, the first start of any of its schedules, on each script of `with_alarms`.

    Costs one query for all scripts with a pause, and none when there is no pause.
    """
    touched: dict[int, list[Schedule]] = {}
    for script in scripts:
        script.next_at = script.first_alarm
        if script.is_touched_by_pause:
            touched[script.pk] = []
    if not touched:
        return
    armed = Schedule.objects.armed().filter(script__in=touched, alarm__isnull=False)
    for schedule in with_pause(armed):
        touched[schedule.script_id].append(schedule)
    for script in scripts:
        if script.pk in touched:
            first = first_start(touched[script.pk], now)
            script.next_at = first.at if first else None


def set_rhythms(scripts: Collection[Any]) -> None:
    """Set on each script its schedules in words: `when` those that may fire, `when_off` the others, where all are off.

    One query for all scripts.
    """
    rhythms: dict[int, list[str]] = {script.pk: [] for script in scripts}
    off: dict[int, list[str]] = {script.pk: [] for script in scripts}
    rows = Schedule.objects.filter(script__in=rhythms).select_related("script")
    for schedule in rows.order_by("pk"):
        found = rhythms if schedule.enabled and schedule.script.enabled else off
        found[schedule.script_id].append(_in_words(schedule))
    for script in scripts:
        script.when = _first_and_more(rhythms[script.pk])
        script.when_off = "" if script.when else _first_and_more(off[script.pk])


def _in_words(schedule: Schedule) -> str:
    return f"{schedule.describe()} {schedule.other_zone}".strip()


def _first_and_more(rhythms: list[str]) -> str:
    if len(rhythms) < 2:
        return "".join(rhythms)
    return f"{rhythms[0]}, and {len(rhythms) - 1} more"


def stale_moments(schedule: Schedule, now: datetime) -> int:
    """Return how many moments passed since the last success of a stale schedule; 0 when it is not stale."""
    if schedule.stale_since is None:
        return 0
    since = schedule.last_success_at or schedule.created_at
    return rule.count_between(schedule.timing, since, now)


def _pause_of_all(schedule: Any) -> Pause | None:
    if not hasattr(schedule, "all_paused_since"):
        return global_pause.last_pause()
    if schedule.all_paused_since is None:
        return None
    return Pause(since=schedule.all_paused_since, until=schedule.all_paused_until)


def _pauses(schedule: Schedule, pause_of_all: Pause | None) -> list[tuple[datetime, datetime]]:
    found = []
    if schedule.paused_at and schedule.paused_until:
        found.append((schedule.paused_at, schedule.paused_until))
    if pause_of_all is not None and pause_of_all.until:
        found.append((pause_of_all.since, pause_of_all.until))
    return sorted(found)


def _start_behind_pauses(
    schedule: Schedule, due: datetime, pauses: list[tuple[datetime, datetime]], now: datetime
) -> datetime | None:
    for since, until in pauses:
        if since <= due < until:
            following = rule.next_after(schedule.timing, until - _TICK)
            if following is None:
                return None
            due = following
    end = max((until for _, until in pauses), default=now)
    if end <= now or due >= end:
        return due
    # It was due before the pause and is not served yet: the ticker makes up for it when the pause ends.
    if schedule.missed == Schedule.Missed.SKIP and _is_too_late(schedule, due, pauses, end):
        return rule.next_after(schedule.timing, end - _TICK)
    return end


def _is_too_late(
    schedule: Schedule, due: datetime, pauses: list[tuple[datetime, datetime]], end: datetime
) -> bool:
    pause_behind = min(since for since, _ in pauses if since > due)
    last = rule.last_at_or_before(schedule.timing, pause_behind - _TICK) or due
    return end - last > LATE_IS_MISSED


# A pause that is over counts as well, until the ticker has moved the alarm.
def _is_before_end_of_pause() -> Q:
    lasting = Q(until=None) | Q(until__gt=OuterRef("alarm__next_run"))
    before_own_end = Q(alarm__next_run__lt=F("paused_until"))
    return before_own_end | Q(Exists(Pause.objects.filter(lasting)))
