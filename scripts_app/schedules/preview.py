"""What a schedule means, for people: a sentence, the next due moments, notes, and the coming week by hours."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from scripts_app.models import Schedule
from scripts_app.timing import cron_words, rule, simple
from scripts_app.timing.rule import Timing
from tempo_site.lib import humanize

NEXT_MOMENTS = 5
WEEK_DAYS = 7
CROWD = 3  # so many other scripts in the same minute are worth a word
_MINUTE = timedelta(minutes=1)
_SECOND = timedelta(seconds=1)
_LEVELS = (1, 2, 6, 60)  # starts an hour from which the levels 1 to 4 of the grid begin


@dataclass(frozen=True, kw_only=True)
class PreviewMoment:
    """A due moment: `local` by the clock of the schedule's zone, `relative` from the preview's now."""

    local: datetime
    relative: str
    has_seconds: bool  # whether any due moment of the preview falls between two minutes

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
    hour: int
    count: int

    @property
    def level(self) -> int:
        return sum(self.count >= threshold for threshold in _LEVELS)


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
    """The meaning of a timing; `terms` are sentences that belong to it, `notes` are warnings."""

    sentence: str
    zone: str
    moments: list[PreviewMoment]
    notes: list[str]
    terms: list[str]


def preview_of(timing: Timing, *, now: datetime, delay_s: int = 0) -> Preview:
    """Return the meaning of a timing that rule.check() accepts. Raise TimingError for others."""
    dues = rule.upcoming(timing, now, NEXT_MOMENTS)
    found_notes = notes(timing, dues, now=now)
    if timing.kind == "cron":
        found_notes.extend(simple.notes(timing.cron))
        found_notes.extend(cron_words.notes(timing.cron))
    return Preview(
        sentence=rule.describe(timing),
        zone=timing.timezone,
        moments=moments(timing, dues, now=now),
        notes=found_notes,
        terms=terms(timing, delay_s=delay_s),
    )


def moments(timing: Timing, dues: Sequence[datetime], *, now: datetime) -> list[PreviewMoment]:
    has_seconds = any(due.second for due in dues)
    return [_moment(due, timing, now, has_seconds) for due in dues]


def notes(timing: Timing, dues: Sequence[datetime], *, now: datetime) -> list[str]:
    """Return warnings: what the changes of the clock do to a timing, and that nothing is due any more."""
    found = rule.warnings(timing, now)
    if not dues and timing.kind != "startup":
        found.append(_why_never(timing, now))
    return found


def crowd(timing: Timing, dues: Sequence[datetime], *, script_id: int | None) -> list[str]:
    """Return a sentence when many other scripts are due in the minute of the first due moment. One query."""
    # An interval without a start has no minute that a person has chosen, or could choose.
    if not dues or (timing.kind == "interval" and timing.start_at is None):
        return []
    minute = dues[0].replace(second=0, microsecond=0)
    rivals = Schedule.objects.armed().filter(
        alarm__next_run__gte=minute, alarm__next_run__lt=minute + _MINUTE
    )
    count = rivals.exclude(script=script_id).values("script").distinct().count()
    if count < CROWD:
        return []
    local = minute.astimezone(rule.zone_of(timing.timezone))
    return [
        f"It starts with {count} other scripts at this minute, {local:%a %H:%M}: another minute spreads the load"
    ]


def terms(timing: Timing, *, delay_s: int = 0) -> list[str]:
    found = []
    if timing.start_at:
        found.append(f"From {_clock(timing.start_at, timing)} on")
    if timing.end_at:
        found.append(f"Until {_clock(timing.end_at, timing)}")
    if timing.jitter_s:
        span = humanize.whole_span(timing.jitter_s)
        found.append(f"Each start up to {span} later, the same each time")
    if delay_s:
        found.append(f"{humanize.whole_span(delay_s)} after Tempo has started")
    return found


def week(timing: Timing, *, now: datetime) -> list[PreviewDay]:
    """Return the number of starts after `now` for each hour of seven days by the timing's own clock, today first.

    An hour that the clocks skip has no start, an hour that they repeat has the starts of both passes.
    """
    # Counted, not walked: a schedule of every second costs no more than a daily one.
    zone = rule.zone_of(timing.timezone)
    today = now.astimezone(zone).date()
    return [_day(timing, today + timedelta(days=number), zone, now) for number in range(WEEK_DAYS)]


def _why_never(timing: Timing, now: datetime) -> str:
    if timing.kind == "once":
        return "It never happens: its time has passed"
    if timing.end_at is None:
        return "It never happens"
    first = _clock(max(timing.start_at or now, now), timing)
    last = _clock(timing.end_at, timing)
    return f"It never happens: no start lies between {first} and {last}"


def _day(timing: Timing, day: date, zone: ZoneInfo, now: datetime) -> PreviewDay:
    tomorrow = day + timedelta(days=1)
    edges = [datetime.combine(day, time(hour), zone).astimezone(UTC) for hour in range(24)]
    edges.append(datetime.combine(tomorrow, time(), zone).astimezone(UTC))
    # count_between leaves its first instant out; where two hours are skipped, the edge between them lies behind the
    # next.
    starts: list[datetime] = []
    for edge in edges:
        start = max(edge - _SECOND, now)
        if starts:
            start = max(start, starts[-1])
        starts.append(start)
    hours = []
    for hour, (start, end) in enumerate(pairwise(starts)):
        hours.append(PreviewHour(hour=hour, count=rule.count_between(timing, start, end)))
    return PreviewDay(date=day, hours=hours)


def _moment(due: datetime, timing: Timing, now: datetime, has_seconds: bool) -> PreviewMoment:
    span = humanize.whole_span((due - now).total_seconds())
    return PreviewMoment(
        local=due.astimezone(rule.zone_of(timing.timezone)),
        relative=f"in {span}",
        has_seconds=has_seconds,
    )


def _clock(instant: datetime, timing: Timing) -> str:
    local = instant.astimezone(rule.zone_of(timing.timezone))
    return _text(local, bool(local.second))


def _text(local: datetime, has_seconds: bool) -> str:
    if has_seconds:
        return f"{local:%Y-%m-%d %H:%M:%S %Z}"
    return f"{local:%Y-%m-%d %H:%M %Z}"
