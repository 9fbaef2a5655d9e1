"""Due times against a walk that visits every second or minute of UTC and applies the rule to the letter."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache, cached_property, lru_cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from scripts_app.timing import rule as timing_rule
from scripts_app.timing.rule import Timing, TimingError

pytestmark = pytest.mark.slow

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)

# Whole-minute changes: half hours, two hours, at and around midnight, a day left out, a zone that moved for good.
CHANGES = {
    "Europe/Berlin": ("2026-03-29T01:00", "2026-10-25T01:00"),
    "Europe/Dublin": ("2026-03-29T01:00", "2026-10-25T01:00"),
    "America/New_York": ("2026-03-08T07:00", "2026-11-01T06:00"),
    "America/Havana": ("2026-03-08T05:00", "2026-11-01T05:00"),
    "America/St_Johns": ("2010-03-14T03:31", "2010-11-07T02:31"),
    "America/Caracas": ("2016-05-01T07:00", "2007-12-09T07:00"),
    "Australia/Sydney": ("2026-10-03T16:00", "2026-04-04T16:00"),
    "Australia/Lord_Howe": ("2026-10-03T15:30", "2026-04-04T15:00"),
    "Africa/Cairo": ("2026-04-23T22:00", "2026-10-29T21:00"),
    "Asia/Beirut": ("2026-03-28T22:00", "2026-10-24T21:00"),
    "Asia/Pyongyang": ("2018-05-04T15:00", "2015-08-14T15:00"),
    "Antarctica/Troll": ("2026-03-29T01:00", "2026-10-25T01:00"),
    "Antarctica/Casey": ("2018-03-10T17:00", "2020-10-03T16:01"),
    "Pacific/Chatham": ("2026-09-26T14:00", "2026-04-04T14:00"),
    "Pacific/Apia": ("2011-12-30T10:00",),
    "UTC": ("2026-12-31T23:00", "2028-02-29T12:00"),
}
MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
WEEKDAYS = ["SUN", "Mon", "tue", "WED", "THU", "FRI", "SAT"]

Matcher = Callable[[datetime], bool]


@dataclass(frozen=True, kw_only=True)
class Part:
    """A field's text and what it accepts, made together so that the oracle needs no parser."""

    text: str
    accepts: Matcher


@dataclass(frozen=True, kw_only=True)
class Instant:
    """A visited UTC instant, the wall clock there, and the wall clock it would show without a change just now."""

    utc: datetime
    wall: datetime
    is_repeated: bool
    expected_wall: datetime


def numbers(draw: st.DrawFn, low: int, high: int, likely: list[int]) -> tuple[str, set[int]]:
    value = draw(st.sampled_from(likely) | st.integers(low, high))
    upper = draw(st.integers(value, high))
    step = draw(st.integers(1, (high - low) // 2))
    return draw(
        st.sampled_from(
            [
                ("*", set(range(low, high + 1))),
                (f"*/{step}", set(range(low, high + 1, step))),
                (f"{value}", {value}),
                (f"{value}-{upper}", set(range(value, upper + 1))),
                (f"{value}-{upper}/{step}", set(range(value, upper + 1, step))),
                (f"{value}/{step}", set(range(value, high + 1, step))),
            ]
        )
    )


@st.composite
def fields(draw: st.DrawFn, name: str, low: int, high: int, likely: list[int]) -> Part:
    drawn = [numbers(draw, low, high, likely) for _ in range(draw(st.integers(1, 2)))]
    values = set().union(*(found for _, found in drawn))
    return Part(
        text=",".join(text for text, _ in drawn), accepts=lambda wall: getattr(wall, name) in values
    )


def is_last_day(wall: datetime) -> bool:
    return (wall + DAY).month != wall.month


@cache
def days_of_month(year: int, month: int) -> list[date]:
    first = date(year, month, 1)
    return [first + index * DAY for index in range(31) if (first + index * DAY).month == month]


@cache
def nearest_weekday(year: int, month: int, number: int) -> int:
    """The Monday to Friday of the month that no other is as near as; there is never a tie. 0 without such a date."""
    days = days_of_month(year, month)
    if number > len(days):
        return 0
    working = [day.day for day in days if day.isoweekday() < 6]
    return min(working, key=lambda day: abs(day - number))


def is_nearest_weekday(wall: datetime, number: int) -> bool:
    return wall.day == nearest_weekday(wall.year, wall.month, number)


@cache
def last_weekday(year: int, month: int) -> int:
    return max(day.day for day in days_of_month(year, month) if day.isoweekday() < 6)


def is_last_weekday(wall: datetime) -> bool:
    return wall.day == last_weekday(wall.year, wall.month)


@st.composite
def dates(draw: st.DrawFn) -> Part:
    plain = draw(fields("day", 1, 31, [1, 4, 8, 25, 29, 30, 31]))
    choice = draw(st.sampled_from(["*", "plain", "L", "both", "L-", "W", "LW"]))
    if choice == "L-":
        before = draw(st.integers(1, 30))
        return Part(
            text=f"L-{before}",
            accepts=lambda wall: (
                is_last_day(wall + before * DAY) and (wall + before * DAY).month == wall.month
            ),
        )
    if choice == "W":
        number = draw(st.integers(1, 31))
        return Part(text=f"{number}W", accepts=lambda wall: is_nearest_weekday(wall, number))
    if choice == "LW":
        return Part(text="LW", accepts=is_last_weekday)
    if choice == "*":
        return Part(text="*", accepts=lambda _: True)
    if choice == "L":
        return Part(text="L", accepts=is_last_day)
    if choice == "both":
        return Part(
            text=f"{plain.text},L", accepts=lambda wall: plain.accepts(wall) or is_last_day(wall)
        )
    return plain


def weekday_of(wall: datetime) -> int:
    return wall.isoweekday() % 7


@st.composite
def weekdays(draw: st.DrawFn) -> Part:
    day, nth = draw(st.integers(0, 6)), draw(st.integers(1, 5))
    text, values = numbers(draw, 0, 6, [0, 6])
    is_nth: Matcher = lambda wall: weekday_of(wall) == day and (wall.day - 1) // 7 + 1 == nth  # noqa: E731
    is_last: Matcher = lambda wall: weekday_of(wall) == day and (wall + 7 * DAY).month != wall.month  # noqa: E731
    return draw(
        st.sampled_from(
            [
                Part(text="*", accepts=lambda _: True),
                Part(text=text, accepts=lambda wall: weekday_of(wall) in values),
                Part(text=WEEKDAYS[day], accepts=lambda wall: weekday_of(wall) == day),
                Part(text="5-7", accepts=lambda wall: weekday_of(wall) in {5, 6, 0}),
                Part(text=f"{WEEKDAYS[day]}#{nth}", accepts=is_nth),
                Part(text=f"{day}L", accepts=is_last),
                Part(
                    text=f"3,{day}#{nth}",
                    accepts=lambda wall: weekday_of(wall) == 3 or is_nth(wall),
                ),
            ]
        )
    )


@st.composite
def months(draw: st.DrawFn) -> Part:
    month = draw(st.integers(1, 12))
    by_name = Part(text=f"{MONTHS[month - 1]}-DEC", accepts=lambda wall: wall.month >= month)
    return draw(
        st.sampled_from([Part(text="*", accepts=lambda _: True), by_name])
        | fields("month", 1, 12, [3, 10])
    )


@dataclass(frozen=True, kw_only=True)
class Rule:
    """An expression as its fields, and the rule that joins them."""

    parts: tuple[Part, ...]  # (second,) minute, hour, date, month, weekday

    @property
    def text(self) -> str:
        return " ".join(part.text for part in self.parts)

    @cached_property
    def is_wildcard(self) -> bool:
        return any(part.text.startswith("*") for part in self.parts[-5:-3])

    @cached_property
    def needs_both(self) -> bool:
        """Whether a day has to be right by its date and its weekday; else one of them is enough."""
        return any(part.text.startswith("*") for part in (self.parts[-3], self.parts[-1]))

    def matches(self, wall: datetime) -> bool:
        *clock, on_date, month, weekday = self.parts
        for part in (month, *clock):
            if not part.accepts(wall):
                return False
        if len(clock) == 2 and wall.second:
            return False
        if self.needs_both:
            return on_date.accepts(wall) and weekday.accepts(wall)
        return on_date.accepts(wall) or weekday.accepts(wall)

    def is_due(self, instant: Instant, step: timedelta) -> bool:
        if self.is_wildcard:
            return self.matches(instant.wall)
        if self.matches(instant.wall) and not instant.is_repeated:
            return True
        if instant.wall == instant.expected_wall:
            return False
        gap = instant.wall - instant.expected_wall
        if not timedelta(0) < gap <= timedelta(hours=3):
            return False
        return any(
            self.matches(instant.expected_wall + index * step) for index in range(gap // step)
        )


MINUTES = fields("minute", 0, 59, [0, 15, 30, 45, 59])
HOURS = fields("hour", 0, 23, [0, 1, 2, 3, 23])
SECONDS = fields("second", 0, 59, [0, 30, 59])
BY_MINUTE = st.builds(
    lambda *parts: Rule(parts=parts), MINUTES, HOURS, dates(), months(), weekdays()
)
BY_SECOND = st.builds(
    lambda *parts: Rule(parts=parts), SECONDS, MINUTES, HOURS, dates(), months(), weekdays()
)
PLACES = st.sampled_from(
    [(zone, change) for zone, changes in CHANGES.items() for change in changes]
)
SLOW_CHECKS = [
    HealthCheck.too_slow,
    HealthCheck.filter_too_much,
    HealthCheck.function_scoped_fixture,
]
NO_DEADLINE = settings(deadline=None, suppress_health_check=SLOW_CHECKS)


@lru_cache
def walk(zone: str, start: datetime, end: datetime, step: timedelta) -> list[Instant]:
    """Visit [start, end); `is_repeated` comes from the zone's fold, the gap from the wall of the step before."""
    count = (end - start) // step
    clocks = [(start + index * step).astimezone(ZoneInfo(zone)) for index in range(-1, count)]
    walls = [clock.replace(tzinfo=None, fold=0) for clock in clocks]
    return [
        Instant(
            utc=start + index * step,
            wall=walls[index + 1],
            is_repeated=clocks[index + 1].fold == 1,
            expected_wall=walls[index] + step,
        )
        for index in range(count)
    ]


def make_timing(rule: Rule, zone: str) -> Timing:
    found = Timing(kind="cron", cron=rule.text, timezone=zone)
    try:
        timing_rule.check(found)
    except TimingError as error:
        assume("never happens" not in str(error))
        raise
    return found


def assert_agreement(
    found: Timing, due: list[datetime], start: datetime, end: datetime, inside: list[float]
) -> None:
    before = start - SECOND
    assert walked(found, before, end) == due
    assert timing_rule.upcoming(found, before, len(due)) == due
    assert timing_rule.count_between(found, before, end - SECOND) == len(due)
    for moment in [start + fraction * (end - start) for fraction in inside]:
        assert timing_rule.count_between(found, before, moment) == sum(
            instant <= moment for instant in due
        )
        last = max((instant for instant in due if instant <= moment), default=None)
        assert last is None or timing_rule.last_at_or_before(found, moment) == last
        following = min((instant for instant in due if instant > moment), default=None)
        assert following is None or timing_rule.next_after(found, moment) == following


def walked(found: Timing, moment: datetime, end: datetime) -> list[datetime]:
    due = []
    following = timing_rule.next_after(found, moment)
    while following is not None and following < end:
        due.append(following)
        following = timing_rule.next_after(found, following)
    return due


FRACTIONS = st.lists(st.floats(0, 0.999), min_size=3, max_size=3)


@NO_DEADLINE
@given(rule=BY_MINUTE, place=PLACES, inside=FRACTIONS)
def test_it_is_due_in_the_minutes_of_the_rule(
    rule: Rule, place: tuple[str, str], inside: list[float]
) -> None:
    zone, change = place
    found = make_timing(rule, zone)
    middle = datetime.fromisoformat(change).replace(tzinfo=UTC)
    start, end = middle - timedelta(hours=14), middle + timedelta(hours=28)
    due = [
        instant.utc for instant in walk(zone, start, end, MINUTE) if rule.is_due(instant, MINUTE)
    ]
    assert_agreement(found, due, start, end, inside)


@NO_DEADLINE
@given(rule=BY_SECOND, place=PLACES, inside=FRACTIONS)
def test_it_is_due_in_the_seconds_of_the_rule(
    rule: Rule, place: tuple[str, str], inside: list[float]
) -> None:
    zone, change = place
    found = make_timing(rule, zone)
    middle = datetime.fromisoformat(change).replace(tzinfo=UTC)
    start, end = middle - timedelta(minutes=10), middle + timedelta(minutes=70)
    due = [
        instant.utc for instant in walk(zone, start, end, SECOND) if rule.is_due(instant, SECOND)
    ]
    assert_agreement(found, due, start, end, inside)


@settings(NO_DEADLINE, max_examples=30)
@given(
    rule=st.builds(lambda *parts: Rule(parts=parts), dates(), months(), weekdays()),
    year=st.integers(1890, 2390),
)
def test_it_finds_the_next_and_last_day_of_the_rule(rule: Rule, year: int) -> None:
    noon = (
        Part(text="0", accepts=lambda wall: wall.minute == 0),
        Part(text="12", accepts=lambda wall: wall.hour == 12),
    )
    daily = Rule(parts=(*noon, *rule.parts))
    found = make_timing(daily, "UTC")
    start = datetime(year, 7, 1, tzinfo=UTC)
    first = datetime(year, 7, 1, 12) - 15_000 * DAY
    walls = [first + index * DAY for index in range(30_000)]
    matching = [wall.replace(tzinfo=UTC) for wall in walls if daily.matches(wall)]
    assert timing_rule.next_after(found, start) == next(
        (day for day in matching if day > start), None
    )
    assert timing_rule.last_at_or_before(found, start) == next(
        (day for day in reversed(matching) if day <= start), None
    )
    assert timing_rule.count_between(found, start - 15_000 * DAY, start + 15_000 * DAY) == len(
        matching
    )
