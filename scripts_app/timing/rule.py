"""Computes when a schedule is due: plain functions of a timing and a moment, and the only place that does so.

The rule is Debian cron's, with one run per gap: a schedule is a fixed set of UTC instants. A wildcard expression
(minute or hour starts with `*`) is due in every real second whose wall clock matches. A fixed one is due once for each
matching wall-clock time: in a repeated hour on the first pass, in a skipped one (of at most 3 hours) at the first
instant after it.
"""

import contextlib
import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from scripts_app.timing import cron
from scripts_app.timing.cron import TimingError
from scripts_app.timing.due_times import FIRST, LAST, Bounded, DueTimes, Interval, Jittered, Single
from scripts_app.timing.wall_clock import DAY_S

__all__ = [
    "Timing",
    "TimingError",
    "check",
    "count_between",
    "describe",
    "last_at_or_before",
    "next_after",
    "upcoming",
    "warnings",
    "zone_of",
]

MAX_JITTER_S = 3600
MAX_INTERVAL_S = 10 * 365 * DAY_S
MAX_GAP_S = 3 * 3600
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
YEARS = range(1970, 3000)  # of single moments: every zone can write them
_SECOND = timedelta(seconds=1)
_EARLIEST = (
    datetime(1, 1, 10, tzinfo=UTC) - _EPOCH
) // _SECOND  # far enough from the calendar's ends for any offset
_LATEST = (datetime(9999, 12, 20, tzinfo=UTC) - _EPOCH) // _SECOND
_STEADY = datetime(2040, 1, 1, tzinfo=UTC)  # from here on the zones' standing rules apply
# no possible date is rarer: 29 February on a given weekday, at most 40 years
_HORIZON_S = 100 * 366 * DAY_S
# no zone has ever changed its offset twice in so short a time (tzdata 2026: four days at least)
_PROBE_S = 3 * DAY_S
_ZONE_NAME = re.compile(
    r"(?!posix|right/|localtime)[A-Za-z0-9_+-]{1,32}(/[A-Za-z0-9_+-]{1,32}){0,2}"
)


@dataclass(frozen=True, kw_only=True)
class Timing:
    kind: str  # cron, interval, once or startup
    cron: str = ""
    every_s: int | None = None
    at: datetime | None = None  # aware
    anchor: datetime | None = (
        None  # where the grid of an interval begins, aware; the Unix epoch if there is none
    )
    timezone: str = "UTC"  # IANA name
    start_at: datetime | None = None  # aware; no moment before it, none after `end_at`
    end_at: datetime | None = None
    jitter_s: int = (
        0  # each moment is put off by up to so many seconds, the same for the same seed and moment
    )
    seed: str = ""


def check(timing: Timing) -> None:
    """Raise TimingError for everything that must be refused when a schedule is saved."""
    zone_of(timing.timezone)
    due_times = _nominal(timing)
    if timing.kind == "cron" and due_times.next_after(_STEADY) is None:
        raise TimingError(
            "cron",
            f"`{timing.cron}` never happens: the clocks of {timing.timezone} skip these times",
        )
    if not 0 <= timing.jitter_s <= MAX_JITTER_S:
        raise TimingError(
            "jitter_s", f"a jitter of {timing.jitter_s} s: use 0-{MAX_JITTER_S} seconds"
        )
    if timing.start_at and timing.end_at and timing.end_at < timing.start_at:
        raise TimingError("end_at", "the end lies before the start")


def next_after(timing: Timing, moment: datetime) -> datetime | None:
    """Return the least due instant strictly after the aware moment, in UTC; None when there is none."""
    return _due_times(timing).next_after(_in_utc(moment))


def upcoming(timing: Timing, moment: datetime, count: int) -> list[datetime]:
    """Return the next due instants after the moment, at most `count`."""
    found: list[datetime] = []
    due = next_after(timing, moment)
    while due is not None and len(found) < count:
        found.append(due)
        due = next_after(timing, due)
    return found


def last_at_or_before(timing: Timing, moment: datetime) -> datetime | None:
    """Return the greatest due instant not after the aware moment, in UTC; None when there is none."""
    return _due_times(timing).last_at_or_before(_in_utc(moment))


def count_between(timing: Timing, after: datetime, until: datetime) -> int:
    """Return the number of due instants in (after, until] without visiting them."""
    if after < until:
        return _due_times(timing).count_between(_in_utc(after), _in_utc(until))
    return 0


def describe(timing: Timing) -> str:
    """Return a sentence for what check() accepts; wall-clock times in the timing's own zone."""
    if timing.kind == "cron":
        return cron.describe(timing.cron)
    if timing.kind == "interval":
        return _describe_interval(_interval(timing).step // _SECOND)
    if timing.kind == "once":
        local = _instant(timing).astimezone(zone_of(timing.timezone))
        return f"Once, on {local:%Y-%m-%d} at {_clock(local)} ({timing.timezone})"
    return "At start-up"


def warnings(timing: Timing, moment: datetime) -> list[str]:
    """Return a sentence for each time that the clock's changes of the next 365 days skip or repeat.

    Expressions that follow real time through every hour of the day have none: nothing about them changes.
    """
    due_times = _nominal(timing)
    if not isinstance(due_times, _Cron) or due_times.is_steady:
        return []
    start = _seconds(_in_utc(moment))
    stretches = _stretches(due_times.zone, start, min(start + 365 * DAY_S, _LATEST))
    return [
        sentence
        for stretch in stretches
        if stretch.jump and (sentence := due_times.warning(stretch))
    ]


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
        return _Cron(expression=cron.parse(timing.cron), zone=zone_of(timing.timezone))
    if timing.kind == "interval":
        return _interval(timing)
    if timing.kind == "once":
        return Single(at=_instant(timing))
    if timing.kind == "startup":
        return Single(at=None)
    raise TimingError("kind", f"kind `{timing.kind[:20]}`: use cron, interval, once or startup")


def _instant(timing: Timing) -> datetime:
    if timing.at is None:
        raise TimingError(
            "at", "the date and time is missing: use for example 2026-05-01T14:30:00+02:00"
        )
    if timing.at.utcoffset() is None:
        raise TimingError(
            "at",
            f"{timing.at.isoformat()} has no offset from UTC: use for example 2026-05-01T14:30:00+02:00",
        )
    with contextlib.suppress(OverflowError):
        instant = timing.at.astimezone(UTC)
        if instant.year in YEARS:
            return instant
    raise TimingError(
        "at", f"{timing.at.isoformat()} lies too far away: use the years {YEARS[0]} to {YEARS[-1]}"
    )


def _interval(timing: Timing) -> Interval:
    every_s = timing.every_s
    if every_s is None or not 1 <= every_s <= MAX_INTERVAL_S:
        if every_s is None:
            given = "is missing"
        else:
            given = str(every_s) if abs(every_s) < 10**12 else "is far too large"
        raise TimingError("every_s", f"the interval {given}: use 1-{MAX_INTERVAL_S} seconds")
    return Interval(
        anchor=_EPOCH if timing.anchor is None else _in_utc(timing.anchor), step=every_s * _SECOND
    )


def _describe_interval(every_s: int) -> str:
    units = (("day", DAY_S), ("hour", 3600), ("minute", 60), ("second", 1))
    unit, size = next(item for item in units if every_s % item[1] == 0)
    if every_s == size:
        return f"Every {unit}"
    return f"Every {every_s // size} {unit}s"


@dataclass(frozen=True, kw_only=True)
class _Stretch:
    start: int
    end: int
    offset: int
    began: int
    jump: int  # 0 when it began too long ago to matter

    @property
    def changed_walls(self) -> tuple[int, int]:
        before, after = self.began + self.offset - self.jump, self.began + self.offset
        return min(before, after), max(before, after)


# A cron expression by the clock of a zone. Whole UTC seconds inside, datetimes at the door.
# A due second lies less than a day from the wall it stands for, which is what lets the searches leap.
@dataclass(frozen=True, kw_only=True)
class _Cron:
    expression: cron.Expression
    zone: ZoneInfo

    @property
    def is_steady(self) -> bool:
        return self.expression.is_wildcard and len(self.expression.walls.hours) == 24

    def next_after(self, moment: datetime) -> datetime | None:
        start = max(_seconds(moment) + 1, _EARLIEST)
        limit = min(start + _HORIZON_S, _LATEST)
        while start < limit:
            wall = self.expression.walls.first(start - DAY_S, limit + DAY_S)
            if wall is None:
                return None
            start = max(start, wall - DAY_S)
            for stretch in _stretches(self.zone, start, start + 3 * DAY_S):
                if (due := self._first(stretch)) is not None:
                    return _moment(due)
            start += 3 * DAY_S
        return None

    def last_at_or_before(self, moment: datetime) -> datetime | None:
        end = min(_seconds(moment) + 1, _LATEST)
        limit = max(end - _HORIZON_S, _EARLIEST)
        while end > limit:
            wall = self.expression.walls.last(limit - DAY_S, end + DAY_S)
            if wall is None:
                return None
            end = min(end, wall + DAY_S)
            for stretch in reversed(list(_stretches(self.zone, end - 3 * DAY_S, end))):
                if (due := self._last(stretch)) is not None:
                    return _moment(due)
            end -= 3 * DAY_S
        return None

    def count_between(self, after: datetime, until: datetime) -> int:
        start, end = max(_seconds(after) + 1, _EARLIEST), min(_seconds(until) + 1, _LATEST)
        return sum(self._count(stretch) for stretch in _stretches(self.zone, start, end))

    def warning(self, stretch: _Stretch) -> str:
        first = self.expression.walls.first(*stretch.changed_walls)
        last = self.expression.walls.last(*stretch.changed_walls)
        if first is None or last is None:
            return ""
        times = f"{_moment(first):%Y-%m-%d} {_clock(_moment(first))}"
        if last > first:
            times = f"{times} to {_clock(_moment(last))}"
        return f"{times} {self._outcome(stretch)}"

    def _outcome(self, stretch: _Stretch) -> str:
        if stretch.jump < 0:
            if self.expression.is_wildcard:
                passes = "it runs both times"
            else:
                passes = "it runs once, the first time"
            return f"happens twice in {self.zone.key}: {passes}"
        if self.expression.is_wildcard or stretch.jump > MAX_GAP_S:
            return f"is skipped in {self.zone.key}: it does not run then"
        return f"is skipped in {self.zone.key}: it runs once, at {_clock(_moment(stretch.began + stretch.offset))}"

    def _first(self, stretch: _Stretch) -> int | None:
        if self._is_due_after_gap(stretch):
            return stretch.start
        wall = self.expression.walls.first(*self._walls(stretch))
        if wall is None:
            return None
        return wall - stretch.offset

    def _last(self, stretch: _Stretch) -> int | None:
        wall = self.expression.walls.last(*self._walls(stretch))
        if wall is None:
            if self._is_due_after_gap(stretch):
                return stretch.start
            return None
        return wall - stretch.offset

    def _count(self, stretch: _Stretch) -> int:
        start, end = self._walls(stretch)
        if self._is_due_after_gap(stretch):
            return 1 + self.expression.walls.count(start + 1, end)
        return self.expression.walls.count(start, end)

    # Return the walls [from, to) of the stretch, less those that a fixed expression has passed before.
    def _walls(self, stretch: _Stretch) -> tuple[int, int]:
        start, end = stretch.start + stretch.offset, stretch.end + stretch.offset
        is_repeated = stretch.jump < 0 and not self.expression.is_wildcard
        return max(start, stretch.changed_walls[1]) if is_repeated else start, end

    def _is_due_after_gap(self, stretch: _Stretch) -> bool:
        if (
            self.expression.is_wildcard
            or stretch.start != stretch.began
            or not 0 < stretch.jump <= MAX_GAP_S
        ):
            return False
        return self.expression.walls.first(*stretch.changed_walls) is not None


def _stretches(zone: ZoneInfo, start: int, end: int) -> Iterator[_Stretch]:
    began, jump = start - 2 * DAY_S, 0
    for change in (*_changes(zone, began, end), end):
        offset = _offset(zone, began)
        if change > start:
            yield _Stretch(
                start=max(start, began), end=change, offset=offset, began=began, jump=jump
            )
        began, jump = change, _offset(zone, change) - offset


def _changes(zone: ZoneInfo, start: int, end: int) -> Iterator[int]:
    before = _offset(zone, start)
    for second in range(start, end, _PROBE_S):
        last = min(second + _PROBE_S, end - 1)
        if (after := _offset(zone, last)) != before:
            yield _first_with_another_offset(zone, second, last)
        before = after


def _first_with_another_offset(zone: ZoneInfo, low: int, high: int) -> int:
    before = _offset(zone, low)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset(zone, middle) == before else (low, middle)
    return high


def _offset(zone: ZoneInfo, second: int) -> int:
    offset = datetime.fromtimestamp(min(max(second, _EARLIEST), _LATEST), zone).utcoffset()
    if offset is None:
        return 0
    return offset // _SECOND


@lru_cache(maxsize=128)
def zone_of(name: str) -> ZoneInfo:
    if _ZONE_NAME.fullmatch(name):
        with contextlib.suppress(ValueError, OSError, KeyError):  # KeyError: ZoneInfoNotFoundError
            return ZoneInfo(name)
    names = {known.lower(): known for known in available_timezones() if _ZONE_NAME.fullmatch(known)}
    close = difflib.get_close_matches(name[:64].lower(), names, n=1)
    if close:
        hint = f"did you mean `{names[close[0]]}`?"
    else:
        hint = "use an IANA name such as `Europe/Berlin` or `UTC`"
    raise TimingError("timezone", f"there is no time zone `{name[:64]}`: {hint}")


def _in_utc(moment: datetime) -> datetime:
    if moment.utcoffset() is None:
        raise ValueError("a moment must have a time zone")
    return moment.astimezone(UTC)


def _seconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _SECOND


def _moment(second: int) -> datetime:
    return _EPOCH + second * _SECOND


def _clock(moment: datetime) -> str:
    if moment.second:
        return f"{moment:%H:%M:%S}"
    return f"{moment:%H:%M}"
