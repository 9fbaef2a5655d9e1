"""What all schedules will start: the coming week by day and hour, and what starts in the same minute."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from operator import attrgetter
from zoneinfo import ZoneInfo

from scripts_app.models import Schedule
from scripts_app.schedules import outlook
from scripts_app.schedules.outlook import Start
from scripts_app.timing import rule
from scripts_app.timing.rule import TimingError

DAYS = 7
MAX_A_DAY = 24  # starts of a schedule that are shown one by one
_HOUR = timedelta(hours=1)
_TICK = timedelta(microseconds=1)
_LEVELS = (1, 2, 4, 8)  # starts an hour from which the levels 1 to 4 of the grid begin
MAX_STARTS = 3000  # of all schedules, the rarest first: 30 µs each


@dataclass(frozen=True, kw_only=True)
class Rhythm:
    """A schedule with its first start and the number of its starts within some time."""

    schedule: Schedule
    first: datetime
    count: int

    @property
    def starts(self) -> list[Start]:
        # The first may be a moment that a pause held back; all others are the timing's own.
        following = rule.upcoming(self.schedule.timing, self.first, self.count - 1)
        return [Start(schedule=self.schedule, at=at) for at in (self.first, *following)]


@dataclass(frozen=True, kw_only=True)
class Coming:
    """What schedules start within some time, in order; `frequent` start too often to be shown one by one."""

    starts: list[Start]
    frequent: list[Rhythm]


@dataclass(frozen=True, kw_only=True)
class Minute:
    """What starts within one minute, by the clock of the agenda's zone."""

    at: datetime
    starts: list[Start]

    @property
    def is_clash(self) -> bool:
        return len({start.schedule.script_id for start in self.starts}) > 1


@dataclass(kw_only=True)
class AgendaHour:
    hour: int
    minutes: list[Minute] = field(default_factory=list)

    @property
    def count(self) -> int:
        return sum(len(minute.starts) for minute in self.minutes)

    @property
    def level(self) -> int:
        return sum(self.count >= threshold for threshold in _LEVELS)

    @property
    def has_clash(self) -> bool:
        return any(minute.is_clash for minute in self.minutes)


@dataclass(frozen=True, kw_only=True)
class AgendaDay:
    date: date
    hours: list[AgendaHour]

    @property
    def minutes(self) -> list[Minute]:
        return [minute for hour in self.hours for minute in hour.minutes]

    @property
    def count(self) -> int:
        return sum(hour.count for hour in self.hours)

    @property
    def clashes(self) -> int:
        return sum(minute.is_clash for minute in self.minutes)


@dataclass(frozen=True, kw_only=True)
class Agenda:
    """Seven days from today on, and the schedules that start all the time."""

    days: list[AgendaDay]
    frequent: list[Rhythm]

    @property
    def count(self) -> int:
        return sum(day.count for day in self.days)

    @property
    def clashes(self) -> int:
        return sum(day.clashes for day in self.days)


@dataclass(frozen=True, kw_only=True)
class NextDay:
    """This hour and the 23 behind it, and the schedules that start all the time."""

    hours: list[AgendaHour]
    frequent: list[Rhythm]

    @property
    def count(self) -> int:
        return sum(hour.count for hour in self.hours)

    @property
    def most(self) -> int:
        return max(hour.count for hour in self.hours)


def week(now: datetime, zone: ZoneInfo) -> Agenda:
    """Return what the schedules of all scripts start in seven days, today included. One query."""
    today = now.astimezone(zone).date()
    end = datetime.combine(today + timedelta(days=DAYS), time(), zone)
    coming = starts_of(_all_armed(), now, end.astimezone(UTC))
    days = [_empty_day(today + timedelta(days=number)) for number in range(DAYS)]
    for minute in _by_minute(coming.starts, zone):
        day = days[(minute.at.date() - today).days]
        day.hours[minute.at.hour].minutes.append(minute)
    return Agenda(days=days, frequent=coming.frequent)


def next_day(schedules: Iterable[Schedule], now: datetime, zone: ZoneInfo) -> NextDay:
    """Return what these schedules, rows of `outlook.with_pause`, start in this hour and the 23 behind it."""
    first = now.replace(minute=0, second=0, microsecond=0)
    coming = starts_of(schedules, now, first + timedelta(days=1) - _TICK)
    hours = []
    for number in range(24):
        local = (first + timedelta(hours=number)).astimezone(zone)
        hours.append(AgendaHour(hour=local.hour))
    for minute in _by_minute(coming.starts, zone):
        hours[(minute.at - first) // _HOUR].minutes.append(minute)
    return NextDay(hours=hours, frequent=coming.frequent)


def coming_starts(now: datetime, until: datetime) -> Coming:
    """Return what the schedules of all scripts start until then. One query."""
    return starts_of(_all_armed(), now, until)


def starts_of(schedules: Iterable[Schedule], now: datetime, until: datetime) -> Coming:
    """Return what these schedules, rows of `outlook.with_pause`, start until then; damaged ones are left out."""
    max_count = MAX_A_DAY * max(1, (until - now).days)
    room = MAX_STARTS
    starts: list[Start] = []
    frequent: list[Rhythm] = []
    for rhythm in sorted(_rhythms(schedules, now, until), key=attrgetter("count")):
        if rhythm.count > min(max_count, room):
            frequent.append(rhythm)
        else:
            room -= rhythm.count
            starts += rhythm.starts
    return Coming(starts=sorted(starts, key=attrgetter("at")), frequent=frequent)


def _all_armed() -> Iterable[Schedule]:
    return outlook.with_pause(Schedule.objects.armed().filter(alarm__isnull=False))


def _rhythms(schedules: Iterable[Schedule], now: datetime, until: datetime) -> Iterator[Rhythm]:
    for schedule in schedules:
        first = outlook.next_start(schedule, now)
        if first is None or first > until:
            continue
        first = max(first, now)  # it is being served
        try:
            count = 1 + rule.count_between(schedule.timing, first, until)
        except TimingError:  # a row that was broken from outside
            continue
        yield Rhythm(schedule=schedule, first=first, count=count)


def _empty_day(day: date) -> AgendaDay:
    return AgendaDay(date=day, hours=[AgendaHour(hour=hour) for hour in range(24)])


def _by_minute(starts: list[Start], zone: ZoneInfo) -> Iterable[Minute]:
    def minute_of(start: Start) -> datetime:
        return start.at.replace(second=0, microsecond=0)

    for at, together in groupby(starts, key=minute_of):
        yield Minute(at=at.astimezone(zone), starts=list(together))
