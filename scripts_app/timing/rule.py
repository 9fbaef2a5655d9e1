"""When a schedule is due: plain functions of a timing and an instant, and the only place that computes due instants.

A schedule is a fixed set of UTC instants; `cron_rule` holds the rule for cron expressions.
"""

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from scripts_app.timing import cron_expression, cron_words
from scripts_app.timing.cron_expression import TimingError
from scripts_app.timing.cron_rule import CronTimes, clock
from scripts_app.timing.due_times import FIRST, LAST, Bounded, DueTimes, Interval, Jittered, Single
from scripts_app.timing.wall_clock import DAY_S
from scripts_app.timing.zones import EPOCH, SECOND, zone_of

__all__ = [
    "Timing",
    "TimingError",
    "check",
    "count_between",
    "describe",
    "last_at_or_before",
    "names_hours",
    "next_after",
    "upcoming",
    "warnings",
    "zone_of",
]

MAX_JITTER_S = 3600
MAX_INTERVAL_S = 10 * 365 * DAY_S
YEARS = range(1970, 3000)  # of single instants: every zone can write them
_STEADY = datetime(2040, 1, 1, tzinfo=UTC)  # from here on the zones' standing rules apply
_DAY = timedelta(days=1)
_YEAR = timedelta(days=365)
_UNITS = (("day", DAY_S), ("hour", 3600), ("minute", 60), ("second", 1))
_EXAMPLE = "2026-05-01T14:30:00+02:00"


@dataclass(frozen=True, kw_only=True)
class Timing:
    kind: str  # cron, interval, once or startup
    cron: str = ""
    every_s: int | None = None
    at: datetime | None = None  # aware
    # Where the grid of an interval begins, aware; without an anchor, at the Unix epoch.
    anchor: datetime | None = None
    timezone: str = "UTC"  # IANA name
    start_at: datetime | None = None  # aware; nothing is due before it, nor after `end_at`
    end_at: datetime | None = None
    # Each due moment is put off by up to so many seconds, the same for the same seed and moment.
    jitter_s: int = 0
    seed: str = ""


def check(timing: Timing) -> None:
    """Raise TimingError for everything that must be refused when a schedule is saved."""
    zone_of(timing.timezone)
    due_times = _nominal(timing)
    if isinstance(due_times, CronTimes) and due_times.next_after(_first_instant(due_times)) is None:
        raise TimingError(
            "cron",
            f"`{timing.cron}` never happens: the clocks of {timing.timezone} skip these times",
        )
    if not 0 <= timing.jitter_s <= MAX_JITTER_S:
        hint = f"use 0-{MAX_JITTER_S} seconds"
        raise TimingError("jitter_s", f"A jitter of {timing.jitter_s} s: {hint}")
    if timing.start_at and timing.end_at and timing.end_at < timing.start_at:
        raise TimingError("end_at", "The end lies before the start")


def next_after(timing: Timing, instant: datetime) -> datetime | None:
    """Return the first due moment strictly after an aware instant, in UTC; None when there is none."""
    return _due_times(timing).next_after(_in_utc(instant))


def upcoming(timing: Timing, instant: datetime, count: int) -> list[datetime]:
    found: list[datetime] = []
    due = next_after(timing, instant)
    while due is not None and len(found) < count:
        found.append(due)
        due = next_after(timing, due)
    return found


def last_at_or_before(timing: Timing, instant: datetime) -> datetime | None:
    """Return the last due moment not after an aware instant, in UTC; None when there is none."""
    return _due_times(timing).last_at_or_before(_in_utc(instant))


def count_between(timing: Timing, after: datetime, until: datetime) -> int:
    """Return the number of due moments in (after, until] without visiting each."""
    if after >= until:
        return 0
    return _due_times(timing).count_between(_in_utc(after), _in_utc(until))


def describe(timing: Timing) -> str:
    """Return a sentence for a timing that check() accepts; wall-clock times are in the timing's own zone."""
    if timing.kind == "cron":
        return cron_words.describe(timing.cron)
    if timing.kind == "interval":
        return _describe_interval(_interval(timing).step // SECOND)
    if timing.kind == "once":
        local = _single_instant(timing).astimezone(zone_of(timing.timezone))
        return f"Once, on {local:%Y-%m-%d} at {clock(local)} ({timing.timezone})"
    return "At start-up"


def names_hours(timing: Timing) -> bool:
    """Return whether describe() names times by the timing's clock, and leaves it to others to say which clock that is.

    `Every 5 minutes` and `Every hour` mean the same by every clock.
    """
    return timing.kind == "cron" and not cron_expression.is_steady(timing.cron)


def warnings(timing: Timing, instant: datetime) -> list[str]:
    """Return a sentence for each time that the clock's changes of the 365 days after `instant` skip, repeat or move.

    Expressions that follow real time through every hour of the day have none: nothing about such a schedule changes.
    """
    due_times = _nominal(timing)
    if isinstance(due_times, CronTimes):
        return list(due_times.warnings(_in_utc(instant)))
    if isinstance(due_times, Interval) and due_times.step % _DAY == timedelta():
        return _moved_hour(due_times, zone_of(timing.timezone), _in_utc(instant))
    return []


# An interval of whole days starts at another hour after the clock has changed: people who gave it an hour want to know.
def _moved_hour(interval: Interval, zone: ZoneInfo, instant: datetime) -> list[str]:
    before = interval.next_after(instant)
    while before is not None and before < instant + _YEAR:
        following = interval.next_after(before)
        if following is None:
            return []
        local, local_after = before.astimezone(zone), following.astimezone(zone)
        if local.time() != local_after.time():
            return [
                f"From {local_after:%Y-%m-%d} on it starts at {clock(local_after)} instead of {clock(local)} in "
                f"{zone.key}: an interval counts hours, a cron line keeps the time of day"
            ]
        before = following
    return []


def _first_instant(cron_times: CronTimes) -> datetime:
    years = cron_times.expression.calendar.years
    if years is None:
        return _STEADY
    return datetime(min(years), 1, 1, tzinfo=UTC) - 2 * _DAY


# What is due in fact: within the bounds, and put off by the jitter.
def _due_times(timing: Timing) -> DueTimes:
    due_times = _nominal(timing)
    if timing.start_at or timing.end_at:
        if timing.start_at:
            first = _in_utc(timing.start_at)
        else:
            first = FIRST
        last = _in_utc(timing.end_at) if timing.end_at else LAST
        due_times = Bounded(due_times=due_times, first=first, last=last)
    if timing.jitter_s:
        due_times = Jittered(due_times=due_times, jitter_s=timing.jitter_s, seed=timing.seed)
    return due_times


def _nominal(timing: Timing) -> DueTimes:
    if timing.kind == "cron":
        return CronTimes(
            expression=cron_expression.parse(timing.cron), zone=zone_of(timing.timezone)
        )
    if timing.kind == "interval":
        return _interval(timing)
    if timing.kind == "once":
        return Single(at=_single_instant(timing))
    if timing.kind == "startup":
        return Single(at=None)
    raise TimingError("kind", f"Kind `{timing.kind[:20]}`: use cron, interval, once or startup")


def _single_instant(timing: Timing) -> datetime:
    at = timing.at
    if at is None:
        raise TimingError("at", f"The date and time is missing: use for example {_EXAMPLE}")
    if at.utcoffset() is None:
        raise TimingError(
            "at", f"{at.isoformat()} has no offset from UTC: use for example {_EXAMPLE}"
        )
    with contextlib.suppress(OverflowError):
        instant = at.astimezone(UTC)
        if instant.year in YEARS:
            return instant
    hint = f"use the years {YEARS[0]} to {YEARS[-1]}"
    raise TimingError("at", f"{at.isoformat()} lies too far away: {hint}")


def _interval(timing: Timing) -> Interval:
    every_s = timing.every_s
    if every_s is None:
        raise _interval_refusal("is missing")
    if abs(every_s) >= 10**12:  # digits without end would fill the page
        raise _interval_refusal("is far too large")
    if not 1 <= every_s <= MAX_INTERVAL_S:
        raise _interval_refusal(str(every_s))
    anchor = EPOCH if timing.anchor is None else _in_utc(timing.anchor)
    return Interval(anchor=anchor, step=every_s * SECOND)


def _interval_refusal(problem: str) -> TimingError:
    return TimingError("every_s", f"The interval {problem}: use 1-{MAX_INTERVAL_S} seconds")


def _describe_interval(every_s: int) -> str:
    unit, size = next((unit, size) for unit, size in _UNITS if every_s % size == 0)
    if every_s == size:
        return f"Every {unit}"
    return f"Every {every_s // size} {unit}s"


def _in_utc(instant: datetime) -> datetime:
    if instant.utcoffset() is None:
        raise ValueError("a time must have a time zone")
    return instant.astimezone(UTC)
