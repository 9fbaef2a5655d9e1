"""What a schedule means, for people: a sentence, the next moments, what to beware of, the coming week by hours."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import accumulate, pairwise
from zoneinfo import ZoneInfo

from scripts_app import simple_cron, timing
from scripts_app.timing import Timing
from tempo_site.lib import words

NEXT_MOMENTS = 5
WEEK_DAYS = 7
_SECOND = timedelta(seconds=1)
_LEVELS = (1, 2, 6, 60)  # from how many starts an hour each level of the grid begins


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A due moment: `local` by the clock of its schedule's zone, `relative` from the preview's now."""

    local: datetime
    relative: str
    has_seconds: bool  # whether any of its preview's moments falls between two minutes

    @property
    def utc(self) -> datetime:
        """The same instant."""
        return self.local.astimezone(UTC)

    @property
    def weekday(self) -> str:
        """The day's short name."""
        return f"{self.local:%a}"

    @property
    def text(self) -> str:
        """Date, time and the zone's short name."""
        return f"{self.local:%Y-%m-%d %H:%M:%S %Z}" if self.has_seconds else f"{self.local:%Y-%m-%d %H:%M %Z}"


@dataclass(frozen=True, kw_only=True)
class Hour:
    """One hour of the grid: how often the script starts in it, and 0 to 4 for how much that is."""

    hour: int
    count: int

    @property
    def level(self) -> int:
        """0 for none, 4 for one a minute or more."""
        return sum(self.count >= least for least in _LEVELS)


@dataclass(frozen=True, kw_only=True)
class Day:
    """One row of the grid."""

    date: date
    hours: list[Hour]

    @property
    def name(self) -> str:
        """Weekday and day of the month."""
        return f"{self.date:%a} {self.date.day}"

    def __bool__(self) -> bool:
        return any(hour.count for hour in self.hours)


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a rhythm means."""

    sentence: str
    zone: str
    moments: list[Moment]
    notes: list[str]


def of(rhythm: Timing, *, now: datetime) -> Preview:
    """Return what a rhythm means that timing.check() accepts. Raises TimingError for others."""
    dues = timing.upcoming(rhythm, now, NEXT_MOMENTS)
    has_seconds = any(due.second for due in dues)
    return Preview(
        sentence=timing.describe(rhythm),
        zone=rhythm.timezone,
        moments=[_moment(due, rhythm, now, has_seconds) for due in dues],
        notes=[*timing.warnings(rhythm, now), *(simple_cron.notes(rhythm.cron) if rhythm.kind == "cron" else [])],
    )


def week(rhythm: Timing, *, now: datetime) -> list[Day]:
    """Return how often a rhythm is due after `now` in each hour of seven days by its own clock; today is the first.

    Counted, not walked: a schedule of every second costs no more than a daily one. An hour that the clocks skip has
    none, one that they repeat has those of both passes.
    """
    zone = timing.zone_of(rhythm.timezone)
    today = now.astimezone(zone).date()
    return [_day(rhythm, today + timedelta(days=number), zone, now) for number in range(WEEK_DAYS)]


def _day(rhythm: Timing, day: date, zone: ZoneInfo, now: datetime) -> Day:
    edges = [datetime.combine(day, time(hour), zone).astimezone(UTC) for hour in range(24)]
    edges.append(datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC))
    # count_between leaves its first moment out; where two hours are skipped, the edge between them lies behind the next
    starts = list(accumulate((max(edge - _SECOND, now) for edge in edges), max))
    hours = [timing.count_between(rhythm, start, end) for start, end in pairwise(starts)]
    return Day(date=day, hours=[Hour(hour=hour, count=count) for hour, count in enumerate(hours)])


def _moment(due: datetime, rhythm: Timing, now: datetime, has_seconds: bool) -> Moment:
    seconds = (due - now).total_seconds()
    distance = words.span(seconds) if seconds >= 10 else f"{seconds:.0f} s"
    local = due.astimezone(timing.zone_of(rhythm.timezone))
    return Moment(local=local, relative=f"in {distance}", has_seconds=has_seconds)
