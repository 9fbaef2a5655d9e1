"""The calendar behind a cron expression: which wall-clock seconds its sets of numbers name (no time zones here)."""

import calendar
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

DAY_S = 86_400
LAST = -1  # in place of an nth: the last one of its month
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_MONTH_LENGTHS = (None, {31}, {28, 29}, {31}, {30}, {31}, {30}, {31}, {31}, {30}, {31}, {30}, {31})


@dataclass(frozen=True, kw_only=True, eq=False)
class Calendar:
    """The sets of an expression. A wall is a wall-clock time as seconds since 1970-01-01 00:00 on that same clock.

    Walls must lie between the years 1 and 9999. Weekday 0 is Sunday.
    """

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    has_last_day: bool
    months: frozenset[int]
    weekdays: frozenset[int]
    nth_weekdays: frozenset[tuple[int, int]]  # (weekday, 1 to 5 or LAST)
    needs_both_days: bool  # day of month and day of week must both match; otherwise either may

    def first(self, start: int, end: int) -> int | None:
        if end <= start:
            return None
        day, second = divmod(start, DAY_S)
        index = self._rank(second)
        if index == self._per_day or not self._is_day(day):
            next_day, index = self._next_day(day + 1, (end - 1) // DAY_S), 0
            if next_day is None:
                return None
            day = next_day
        wall = day * DAY_S + self._time_of_day(index)
        if wall < end:
            return wall
        return None

    def last(self, start: int, end: int) -> int | None:
        if end <= start:
            return None
        day, second = divmod(end, DAY_S)
        index = self._rank(second)
        if index == 0 or not self._is_day(day):
            previous_day, index = self._previous_day(start // DAY_S, day - 1), self._per_day
            if previous_day is None:
                return None
            day = previous_day
        wall = day * DAY_S + self._time_of_day(index - 1)
        if wall >= start:
            return wall
        return None

    def count(self, start: int, end: int) -> int:
        """Return how many walls lie in [start, end): a product for the whole days, never a walk."""
        if end <= start:
            return 0
        first_day = start // DAY_S
        return self._count_from(first_day, end) - self._count_from(first_day, start)

    def is_ever_a_day(self) -> bool:
        """Whether any month of any year holds a matching day (within 400 years each begins on every weekday)."""
        return any(
            _day_mask(self, length, first_weekday)
            for month in self.months
            for length in _MONTH_LENGTHS[month] or ()
            for first_weekday in range(7)
        )

    def is_day(self, day: int, *, length: int, weekday: int) -> bool:
        """Whether day 1 to 31 of a month of this length, falling on this weekday, matches."""
        by_date = day in self.days or (self.has_last_day and day == length)
        by_weekday = (
            weekday in self.weekdays
            or (weekday, (day + 6) // 7) in self.nth_weekdays
            or ((weekday, LAST) in self.nth_weekdays and day + 7 > length)
        )
        if self.needs_both_days:
            return by_date and by_weekday
        return by_date or by_weekday

    @property
    def _per_day(self) -> int:
        return len(self.hours) * len(self.minutes) * len(self.seconds)

    def _rank(self, second_of_day: int) -> int:
        hour, minute, second = second_of_day // 3600, second_of_day // 60 % 60, second_of_day % 60
        rank = bisect_left(self.hours, hour) * len(self.minutes) * len(self.seconds)
        if hour not in self.hours:
            return rank
        rank += bisect_left(self.minutes, minute) * len(self.seconds)
        if minute in self.minutes:
            return rank + bisect_left(self.seconds, second)
        return rank

    # Return the index-th time of day as a second of the day: _rank() the other way round.
    def _time_of_day(self, index: int) -> int:
        rest, second = divmod(index, len(self.seconds))
        hour, minute = divmod(rest, len(self.minutes))
        return self.hours[hour] * 3600 + self.minutes[minute] * 60 + self.seconds[second]

    def _count_from(self, first_day: int, end: int) -> int:
        day, second = divmod(end, DAY_S)
        whole_days = sum(mask.bit_count() for _, mask in self._months(first_day, day - 1))
        return whole_days * self._per_day + (self._rank(second) if self._is_day(day) else 0)

    def _is_day(self, day: int) -> bool:
        return self._next_day(day, day) is not None

    def _next_day(self, first_day: int, last_day: int) -> int | None:
        for base, mask in self._months(first_day, last_day):
            if mask:
                return base + (mask & -mask).bit_length() - 1
        return None

    def _previous_day(self, first_day: int, last_day: int) -> int | None:
        while last_day >= first_day:
            month_start = last_day + 1 - date.fromordinal(last_day + _EPOCH_DAY).day
            for base, mask in self._months(max(first_day, month_start), last_day):
                if mask:
                    return base + mask.bit_length() - 1
            last_day = month_start - 1
        return None

    # Yield (base, mask) for each month between two days: bit n is set when day base + n matches.
    def _months(self, first_day: int, last_day: int) -> Iterator[tuple[int, int]]:
        while first_day <= last_day:
            start = date.fromordinal(first_day + _EPOCH_DAY)
            monday_first, length = calendar.monthrange(start.year, start.month)
            base = first_day - start.day
            if start.month in self.months:
                mask = _day_mask(self, length, (monday_first + 1) % 7)
            else:
                mask = 0
            yield base, mask & ((2 << min(length, last_day - base)) - (1 << start.day))
            first_day = base + length + 1


@lru_cache(maxsize=2048)
def _day_mask(walls: Calendar, length: int, first_weekday: int) -> int:
    days = ((day, (first_weekday + day - 1) % 7) for day in range(1, length + 1))
    return sum(
        1 << day for day, weekday in days if walls.is_day(day, length=length, weekday=weekday)
    )
