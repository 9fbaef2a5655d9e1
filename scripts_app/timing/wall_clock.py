"""The calendar behind a cron expression: the wall-clock seconds that match its numbers (no time zones here)."""

import calendar
from bisect import bisect_left
from collections.abc import Iterable, Iterator
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
    days_from_end: frozenset[int]  # 0 is the last day of the month, 3 the third before it
    # Dates whose nearest Monday to Friday of the same month matches; 0 and less count from the month's last day.
    near_weekdays: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    nth_weekdays: frozenset[tuple[int, int]]  # (weekday, 1 to 5 or LAST)
    needs_both_days: bool  # day of month and day of week must both match; otherwise either may
    years: frozenset[int] | None = None  # None: each

    def first(self, start: int, end: int) -> int | None:
        if end <= start:
            return None
        day, second = divmod(start, DAY_S)
        index = self._rank(second)
        if index == self._per_day or not self._is_day(day):
            next_day = self._next_day(day + 1, (end - 1) // DAY_S)
            if next_day is None:
                return None
            day = next_day
            index = 0
        wall = day * DAY_S + self._time_of_day(index)
        if wall >= end:
            return None
        return wall

    def last(self, start: int, end: int) -> int | None:
        if end <= start:
            return None
        day, second = divmod(end, DAY_S)
        index = self._rank(second)
        if index == 0 or not self._is_day(day):
            previous_day = self._previous_day(start // DAY_S, day - 1)
            if previous_day is None:
                return None
            day = previous_day
            index = self._per_day
        wall = day * DAY_S + self._time_of_day(index - 1)
        if wall < start:
            return None
        return wall

    def count(self, start: int, end: int) -> int:
        """Return the number of walls in [start, end): a product for the whole days, never a walk."""
        if end <= start:
            return 0
        first_day = start // DAY_S
        return self._count_from(first_day, end) - self._count_from(first_day, start)

    def is_ever_a_day(self) -> bool:
        if self.years is not None:
            return self._is_day_in_years(self.years)
        # Within 400 years each month begins on every weekday.
        for month in self.months:
            for length in _MONTH_LENGTHS[month] or ():
                if any(_day_mask(self, length, first_weekday) for first_weekday in range(7)):
                    return True
        return False

    def is_day(self, day: int, *, length: int, weekday: int) -> bool:
        by_date = (
            day in self.days
            or length - day in self.days_from_end
            or any(
                day == _nearest_weekday(target, day, length, weekday)
                for target in self.near_weekdays
            )
        )
        by_weekday = (
            weekday in self.weekdays
            or (weekday, (day + 6) // 7) in self.nth_weekdays
            or ((weekday, LAST) in self.nth_weekdays and day + 7 > length)
        )
        if self.needs_both_days:
            return by_date and by_weekday
        return by_date or by_weekday

    def _is_day_in_years(self, years: Iterable[int]) -> bool:
        for year in years:
            first_day = date(year, 1, 1).toordinal() - _EPOCH_DAY
            last_day = date(year, 12, 31).toordinal() - _EPOCH_DAY
            if self._next_day(first_day, last_day) is not None:
                return True
        return False

    @property
    def _per_day(self) -> int:
        return len(self.hours) * len(self.minutes) * len(self.seconds)

    # The number of matching times of day before this one.
    def _rank(self, second_of_day: int) -> int:
        minute_of_day, second = divmod(second_of_day, 60)
        hour, minute = divmod(minute_of_day, 60)
        rank = bisect_left(self.hours, hour) * len(self.minutes) * len(self.seconds)
        if hour in self.hours:
            rank += bisect_left(self.minutes, minute) * len(self.seconds)
            if minute in self.minutes:
                rank += bisect_left(self.seconds, second)
        return rank

    # The index-th time of day as a second of the day: _rank() the other way round.
    def _time_of_day(self, index: int) -> int:
        rest, second = divmod(index, len(self.seconds))
        hour, minute = divmod(rest, len(self.minutes))
        return self.hours[hour] * 3600 + self.minutes[minute] * 60 + self.seconds[second]

    def _count_from(self, first_day: int, end: int) -> int:
        day, second = divmod(end, DAY_S)
        whole_days = 0
        for _, mask in self._months(first_day, day - 1):
            whole_days += mask.bit_count()
        count = whole_days * self._per_day
        if self._is_day(day):
            count += self._rank(second)
        return count

    def _is_day(self, day: int) -> bool:
        return self._next_day(day, day) is not None

    def _next_day(self, first_day: int, last_day: int) -> int | None:
        for base, mask in self._months(first_day, last_day):
            if mask:
                lowest_bit = mask & -mask
                return base + lowest_bit.bit_length() - 1
        return None

    def _previous_day(self, first_day: int, last_day: int) -> int | None:
        while last_day >= first_day:
            month_start = last_day + 1 - date.fromordinal(last_day + _EPOCH_DAY).day
            for base, mask in self._months(max(first_day, month_start), last_day):
                if mask:
                    return base + mask.bit_length() - 1
            last_day = month_start - 1
        return None

    # (base, mask) for each month between two days: bit n is set when day base + n matches.
    def _months(self, first_day: int, last_day: int) -> Iterator[tuple[int, int]]:
        while first_day <= last_day:
            start = date.fromordinal(first_day + _EPOCH_DAY)
            weekday_from_monday, length = calendar.monthrange(start.year, start.month)
            base = first_day - start.day
            mask = 0
            is_year = self.years is None or start.year in self.years
            if is_year and start.month in self.months:
                mask = _day_mask(self, length, (weekday_from_monday + 1) % 7)
            up_to_last = (2 << min(length, last_day - base)) - 1
            before_first = (1 << start.day) - 1
            yield base, mask & (up_to_last - before_first)
            first_day = base + length + 1


# The Monday to Friday nearest to a date of a month in which `day` is a `weekday`; 0 when the month has no such date.
def _nearest_weekday(target: int, day: int, length: int, weekday: int) -> int:
    if target <= 0:
        target += length
    if not 1 <= target <= length:
        return 0
    weekday_of_target = (weekday + target - day) % 7
    if weekday_of_target == 6:
        return target - 1 if target > 1 else 3
    if weekday_of_target == 0:
        return target + 1 if target < length else target - 2
    return target


# A bit for every matching day of a month of this length that begins on this weekday.
@lru_cache(maxsize=2048)
def _day_mask(walls: Calendar, length: int, first_weekday: int) -> int:
    mask = 0
    for day in range(1, length + 1):
        weekday = (first_weekday + day - 1) % 7
        if walls.is_day(day, length=length, weekday=weekday):
            mask |= 1 << day
    return mask
