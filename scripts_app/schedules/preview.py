"""What a schedule means, for people: a sentence, the next moments, what to beware of, the coming week by hours."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import accumulate, pairwise
from zoneinfo import ZoneInfo

from scripts_app.models import Schedule
from scripts_app.timing import rule, simple
from scripts_app.timing.rule import Timing
from tempo_site.lib import humanize

NEXT_MOMENTS = 5
WEEK_DAYS = 7
CROWD = 3  # so many other scripts in the same minute are worth a word
_MINUTE = timedelta(minutes=1)
_SECOND = timedelta(seconds=1)
_LEVELS = (1, 2, 6, 60)  # from how many starts an hour each level of the grid begins


@dataclass(frozen=True, kw_only=True)
class PreviewMoment:
    """A due moment: `local` by the clock of its schedule's zone, `relative` from the preview's now."""

    local: datetime
    relative: str
    has_seconds: bool  # whether any of its preview's moments falls between two minutes

    @property
    def utc(self) -> datetime:
        return self.local.astimezone(UTC)

    @property
    def weekday(self) -> str:
        return f"{self.local:%a}"

    @property
    def text(self) -> str:
        return _text(self.local, self.has_seconds)


@dataclass(frozen=True, kw_only=True)
class PreviewHour:
    """One hour of the grid: how often the script starts in it, and 0 to 4 for how much that is."""

    hour: int
    count: int

    @property
    def level(self) -> int:
        return sum(self.count >= least for least in _LEVELS)


@dataclass(frozen=True, kw_only=True)
class PreviewDay:
    date: date
    hours: list[PreviewHour]

    @property
    def name(self) -> str:
        return f"{self.date:%a} {self.date.day}"

    def __bool__(self) -> bool:
        return any(hour.count for hour in self.hours)


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a rhythm means; `terms` are the sentences that belong to it, `notes` what to beware of."""

    sentence: str
    zone: str
    moments: list[PreviewMoment]
    notes: list[str]
    terms: list[str]


def preview_of(rhythm: Timing, *, now: datetime, delay_s: int = 0) -> Preview:
    """Return what a rhythm means that timing.check() accepts. Raises TimingError for others."""
    dues = rule.upcoming(rhythm, now, NEXT_MOMENTS)
    if rhythm.kind == "cron":
        calendar_notes = simple.notes(rhythm.cron)
    else:
        calendar_notes = []
    return Preview(
        sentence=rule.describe(rhythm),
        zone=rhythm.timezone,
        moments=moments(rhythm, dues, now=now),
        notes=[*notes(rhythm, dues, now=now), *calendar_notes],
        terms=terms(rhythm, delay_s=delay_s),
    )


def moments(rhythm: Timing, dues: Sequence[datetime], *, now: datetime) -> list[PreviewMoment]:
    has_seconds = any(due.second for due in dues)
    return [_moment(due, rhythm, now, has_seconds) for due in dues]


def notes(rhythm: Timing, dues: Sequence[datetime], *, now: datetime) -> list[str]:
    """Return what to beware of: what the clocks' changes do to it, and that nothing is due any more."""
    found = rule.warnings(rhythm, now)
    if dues or rhythm.kind == "startup":
        return found
    if rhythm.kind == "once":
        return [*found, "It never happens: its moment has passed"]
    if rhythm.end_at is None:
        return [*found, "It never happens"]
    first = max(rhythm.start_at or now, now)
    return [
        *found,
        f"It never happens: no moment lies between {_clock(first, rhythm)} and {_clock(rhythm.end_at, rhythm)}",
    ]


def crowd(rhythm: Timing, dues: Sequence[datetime], *, script_id: int | None) -> list[str]:
    """Return a sentence when many other scripts are due in the minute of the first of these moments. One query.

    Whoever says nothing but an interval has chosen no minute, and can choose no other.
    """
    if not dues or (rhythm.kind == "interval" and rhythm.start_at is None):
        return []
    minute = dues[0].replace(second=0, microsecond=0)
    rivals = Schedule.objects.armed().filter(
        alarm__next_run__gte=minute, alarm__next_run__lt=minute + _MINUTE
    )
    count = rivals.exclude(script=script_id).values("script").distinct().count()
    if count < CROWD:
        return []
    local = minute.astimezone(rule.zone_of(rhythm.timezone))
    return [
        f"It starts with {count} other scripts at this minute, {local:%a %H:%M}: another minute spreads the load"
    ]


def terms(rhythm: Timing, *, delay_s: int = 0) -> list[str]:
    """Return what belongs to a rhythm beside its sentence: its bounds, its jitter, the delay of a start-up."""
    found = []
    if rhythm.start_at:
        found.append(f"From {_clock(rhythm.start_at, rhythm)} on")
    if rhythm.end_at:
        found.append(f"Until {_clock(rhythm.end_at, rhythm)}")
    if rhythm.jitter_s:
        found.append(
            f"Each start up to {humanize.whole_span(rhythm.jitter_s)} later, the same each time"
        )
    if delay_s:
        found.append(f"{humanize.whole_span(delay_s)} after Tempo has started")
    return found


def week(rhythm: Timing, *, now: datetime) -> list[PreviewDay]:
    """Return how often a rhythm is due after `now` in each hour of seven days by its own clock; today is the first.

    Counted, not walked: a schedule of every second costs no more than a daily one. An hour that the clocks skip has
    none, one that they repeat has those of both passes.
    """
    zone = rule.zone_of(rhythm.timezone)
    today = now.astimezone(zone).date()
    return [_day(rhythm, today + timedelta(days=number), zone, now) for number in range(WEEK_DAYS)]


def _day(rhythm: Timing, day: date, zone: ZoneInfo, now: datetime) -> PreviewDay:
    edges = [datetime.combine(day, time(hour), zone).astimezone(UTC) for hour in range(24)]
    edges.append(datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC))
    # count_between leaves its first moment out; where two hours are skipped, the edge between them lies behind the next
    starts = list(accumulate((max(edge - _SECOND, now) for edge in edges), max))
    hours = [rule.count_between(rhythm, start, end) for start, end in pairwise(starts)]
    return PreviewDay(
        date=day, hours=[PreviewHour(hour=hour, count=count) for hour, count in enumerate(hours)]
    )


def _moment(due: datetime, rhythm: Timing, now: datetime, has_seconds: bool) -> PreviewMoment:
    local = due.astimezone(rule.zone_of(rhythm.timezone))
    return PreviewMoment(
        local=local,
        relative=f"in {humanize.whole_span((due - now).total_seconds())}",
        has_seconds=has_seconds,
    )


def _clock(moment: datetime, rhythm: Timing) -> str:
    local = moment.astimezone(rule.zone_of(rhythm.timezone))
    return _text(local, bool(local.second))


def _text(local: datetime, has_seconds: bool) -> str:
    if has_seconds:
        return f"{local:%Y-%m-%d %H:%M:%S %Z}"
    return f"{local:%Y-%m-%d %H:%M %Z}"
