"""The due instants of a cron expression by the clock of a zone, and what the clock's changes do to them.

The rule is Debian cron's, with one run per gap. A wildcard expression (minute or hour starts with `*`) is due in every
real second whose wall clock matches. A fixed one is due once for each matching wall-clock time: in a repeated hour on
the first pass, in a skipped one (of at most 3 hours) at the first instant after it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from scripts_app.timing import zones
from scripts_app.timing.cron_expression import Expression
from scripts_app.timing.wall_clock import DAY_S
from scripts_app.timing.zones import EARLIEST, EPOCH, LATEST, SECOND, Stretch

MAX_GAP_S = 3 * 3600
# No possible date is rarer than 29 February on a given weekday: at most 40 years.
_HORIZON_S = 100 * 366 * DAY_S


@dataclass(frozen=True, kw_only=True)
class CronTimes:
    """A set of due instants. Whole UTC seconds inside, datetimes at the door.

    A due second lies less than a day from its wall, which is what lets the searches leap.
    """

    expression: Expression
    zone: ZoneInfo

    def next_after(self, instant: datetime) -> datetime | None:
        calendar = self.expression.calendar
        start = max(_seconds(instant) + 1, EARLIEST)
        limit = min(start + _HORIZON_S, LATEST)
        while start < limit:
            wall = calendar.first(start - DAY_S, limit + DAY_S)
            if wall is None:
                return None
            start = max(start, wall - DAY_S)
            for stretch in zones.stretches(self.zone, start, start + 3 * DAY_S):
                due = self._first(stretch)
                if due is not None:
                    return _instant(due)
            start += 3 * DAY_S
        return None

    def last_at_or_before(self, instant: datetime) -> datetime | None:
        calendar = self.expression.calendar
        end = min(_seconds(instant) + 1, LATEST)
        limit = max(end - _HORIZON_S, EARLIEST)
        while end > limit:
            wall = calendar.last(limit - DAY_S, end + DAY_S)
            if wall is None:
                return None
            end = min(end, wall + DAY_S)
            for stretch in reversed(list(zones.stretches(self.zone, end - 3 * DAY_S, end))):
                due = self._last(stretch)
                if due is not None:
                    return _instant(due)
            end -= 3 * DAY_S
        return None

    def count_between(self, after: datetime, until: datetime) -> int:
        start = max(_seconds(after) + 1, EARLIEST)
        end = min(_seconds(until) + 1, LATEST)
        return sum(self._count(stretch) for stretch in zones.stretches(self.zone, start, end))

    def warnings(self, instant: datetime) -> Iterator[str]:
        """Yield a sentence for each change of the next 365 days that skips or repeats due times."""
        is_steady = self.expression.is_wildcard and len(self.expression.calendar.hours) == 24
        if is_steady:  # it follows real time through every hour of the day
            return
        start = _seconds(instant)
        end = min(start + 365 * DAY_S, LATEST)
        for stretch in zones.stretches(self.zone, start, end):
            sentence = self._warning(stretch) if stretch.jump else ""
            if sentence:
                yield sentence

    def _warning(self, stretch: Stretch) -> str:
        first = self.expression.calendar.first(*stretch.changed_walls)
        last = self.expression.calendar.last(*stretch.changed_walls)
        if first is None or last is None:
            return ""
        times = f"{_instant(first):%Y-%m-%d} {clock(_instant(first))}"
        if last > first:
            times = f"{times} to {clock(_instant(last))}"
        return f"{times} {self._outcome(stretch)}"

    def _outcome(self, stretch: Stretch) -> str:
        zone = self.zone.key
        if stretch.jump < 0 and self.expression.is_wildcard:
            return f"happens twice in {zone}: it runs both times"
        if stretch.jump < 0:
            return f"happens twice in {zone}: it runs once, the first time"
        if self.expression.is_wildcard or stretch.jump > MAX_GAP_S:
            return f"is skipped in {zone}: it does not run then"
        after_gap = _instant(stretch.began + stretch.offset)
        return f"is skipped in {zone}: it runs once, at {clock(after_gap)}"

    def _first(self, stretch: Stretch) -> int | None:
        if self._is_due_after_gap(stretch):
            return stretch.start
        wall = self.expression.calendar.first(*self._walls(stretch))
        if wall is None:
            return None
        return wall - stretch.offset

    def _last(self, stretch: Stretch) -> int | None:
        wall = self.expression.calendar.last(*self._walls(stretch))
        if wall is not None:
            return wall - stretch.offset
        if self._is_due_after_gap(stretch):
            return stretch.start
        return None

    def _count(self, stretch: Stretch) -> int:
        start, end = self._walls(stretch)
        if self._is_due_after_gap(stretch):
            return 1 + self.expression.calendar.count(start + 1, end)
        return self.expression.calendar.count(start, end)

    # The walls [from, to) of the stretch, without those that a fixed expression has passed before.
    def _walls(self, stretch: Stretch) -> tuple[int, int]:
        start = stretch.start + stretch.offset
        end = stretch.end + stretch.offset
        if stretch.jump < 0 and not self.expression.is_wildcard:
            start = max(start, stretch.changed_walls[1])
        return start, end

    # Whether a fixed expression makes up at the start of the stretch for what its gap skipped.
    def _is_due_after_gap(self, stretch: Stretch) -> bool:
        if self.expression.is_wildcard or stretch.start != stretch.began:
            return False
        if not 0 < stretch.jump <= MAX_GAP_S:
            return False
        return self.expression.calendar.first(*stretch.changed_walls) is not None


def clock(instant: datetime) -> str:
    if instant.second:
        return f"{instant:%H:%M:%S}"
    return f"{instant:%H:%M}"


def _seconds(instant: datetime) -> int:
    return (instant - EPOCH) // SECOND


def _instant(second: int) -> datetime:
    return EPOCH + second * SECOND
