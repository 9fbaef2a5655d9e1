"""What the dashboard shows: figures, what needs a person, the last week by the hour, and a newcomer's first steps."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Generic, TypeVar

import psutil
from django.db.models import Count, F, Func, IntegerField, OuterRef, Subquery
from django.utils import timezone

from runs_app import states
from runs_app.history import history, recent_runs
from runs_app.history.recent_runs import Strip
from runs_app.models import Run
from runs_app.states import Status, Trigger
from scripts_app import script_templates
from scripts_app.environments import environments
from scripts_app.models import Schedule, Script
from scripts_app.schedules import outlook
from tempo_site import health, system
from tempo_site.lib import paths

ACTIVE_RUNS = 20
LAST_RUNS = 8
NEXT_DUE = 10
STRIPS = 8
MAX_TROUBLES = 6  # of each sort; more are a number and a link
DAY, WEEK = timedelta(days=1), timedelta(days=7)
SLOT_S = 900  # zones differ from UTC by multiples of a quarter of an hour

T = TypeVar("T")
EPOCH = "CAST(strftime('%%%%s', %(expressions)s) AS INTEGER)"


@dataclass(frozen=True, kw_only=True)
class Gauge:
    """How full something of the machine is."""

    used: int
    total: int

    @property
    def percent(self) -> int:
        """The part in use."""
        return round(100 * self.used / self.total) if self.total else 0

    @property
    def is_high(self) -> bool:
        """Whether it is nearly full."""
        return self.percent >= 90


@dataclass(kw_only=True)
class Hour:
    """A field of the heat map: how many runs ended in this hour, and how many of them badly."""

    ended: int = 0
    bad: int = 0


@dataclass(kw_only=True)
class Day:
    """A row of the heat map."""

    on: date
    hours: list[Hour] = field(default_factory=lambda: [Hour() for _ in range(24)])

    @property
    def ended(self) -> int:
        """Its runs."""
        return sum(hour.ended for hour in self.hours)

    @property
    def bad(self) -> int:
        """Those of them that ended badly."""
        return sum(hour.bad for hour in self.hours)


@dataclass(frozen=True, kw_only=True)
class Week:
    """Seven days up to today in the server's zone, and the rate of success over the last 7 times 24 hours."""

    days: list[Day]
    succeeded: int
    bad: int

    @property
    def rate(self) -> int | None:
        """Per cent of the verdicts that were good; rounded down, so that 100 means all. None without any."""
        return (
            100 * self.succeeded // (self.succeeded + self.bad)
            if self.succeeded + self.bad
            else None
        )

    @property
    def most(self) -> int:
        """The busiest hour's runs."""
        return max(hour.ended for day in self.days for hour in day.hours)


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """A script whose last run ended badly."""

    script: Script
    run: Run
    strip: Strip


@dataclass(frozen=True, kw_only=True)
class Some(Generic[T]):
    """The first of many, and how many more there are."""

    first: list[T]
    more: int

    @classmethod
    def of(cls, rows: list[T]) -> "Some[T]":
        """The first six."""
        return cls(first=rows[:MAX_TROUBLES], more=len(rows[MAX_TROUBLES:]))


@dataclass(frozen=True, kw_only=True)
class Steps:
    """A newcomer's three steps, ticked from facts; `starter` is the oldest script, `own` the newest."""

    has_run: bool
    has_written: bool
    has_schedule: bool
    starter: Script | None
    own: Script | None

    @property
    def is_done(self) -> bool:
        """Whether the card can go."""
        return self.has_run and self.has_written and self.has_schedule


def dashboard_context(now: datetime) -> dict[str, Any]:
    """All of it, with the same number of queries for one script and for a thousand."""
    active = Run.objects.scripts().active().order_by()
    counts = dict(active.values_list("status").annotate(count=Count("pk")))
    longest_first = active.order_by(F("started_at").asc(nulls_last=True), "pk").select_related(
        "script"
    )
    failing = list(recent_runs.failing(Script.objects.present()).only("name", "slug"))
    lately = _ran_lately()
    strip_of = recent_runs.recent_runs_of(
        {script.pk for script in [*failing[:MAX_TROUBLES], *lately]}
    )
    return {
        "active_runs": list(longest_first[:ACTIVE_RUNS]),
        "active_count": sum(counts.values()),
        "running_count": sum(counts.get(status, 0) for status in states.UNDER_WAY),
        "waiting_count": sum(counts.get(status, 0) for status in states.WAITING),
        "failed_today": _bad_since(now - DAY),
        "week": week(now),
        **machine(),
        "due_schedules": outlook.due_next(now, limit=NEXT_DUE),
        "last_runs": history.page(limit=LAST_RUNS),
        "troubles": list(_troubles(failing[:MAX_TROUBLES], strip_of)),
        "more_troubles": len(failing[MAX_TROUBLES:]),
        "broken_environments": _broken_environments(),
        "aside": _suspended(),
        "strips": [(script, strip_of.get(script.pk, Strip())) for script in lately],
        "steps": first_steps(),
        "featured": script_templates.featured_templates(),
    }


def machine() -> dict[str, Any]:
    """How busy and how full the machine is."""
    return {
        "cpu_percent": health.cpu_percent(),
        "cores": system.cores(),
        "load": system.load()[0],
        "memory": memory(),
        "disk": disk(),
    }


def memory() -> Gauge:
    """The machine's memory: what programs could not get any more counts as used."""
    state = psutil.virtual_memory()
    return Gauge(used=state.total - state.available, total=state.total)


def disk() -> Gauge:
    """The disk of the data folder."""
    state = psutil.disk_usage(str(paths.data()))
    return Gauge(used=state.total - state.free, total=state.total)


def week(now: datetime) -> Week:
    """Count the last week's runs by quarters of an hour in the database, and by local hours here."""
    today = timezone.localdate(now)
    days = {(on := today - timedelta(days=back)): Day(on=on) for back in range(6, -1, -1)}
    epoch = Func(F("finished_at"), template=EPOCH, output_field=IntegerField())
    ended = Run.objects.scripts().filter(
        finished_at__gte=now - WEEK, status__in=recent_runs.VERDICTS
    )
    slots = (
        ended.order_by()
        .annotate(slot=epoch / SLOT_S)
        .values_list("slot", "status")
        .annotate(count=Count("pk"))
    )
    totals = dict.fromkeys(Status, 0)
    for number, status, count in slots:
        totals[Status(status)] += count
        local = datetime.fromtimestamp(number * SLOT_S, timezone.get_current_timezone())
        if day := days.get(local.date()):
            day.hours[local.hour].ended += count
            day.hours[local.hour].bad += count if status in history.BAD else 0
    bad = sum(totals[status] for status in history.BAD)
    return Week(days=list(days.values()), succeeded=totals[Status.SUCCEEDED], bad=bad)


def first_steps() -> Steps:
    """What a newcomer has done so far. Deleted scripts count: their rows stay, and so does the experience."""
    oldest_first = list(Script.objects.order_by("pk").only("name", "slug", "deleted_at")[:2])
    newest = Script.objects.present().order_by("-pk").only("name", "slug").first()
    starter = oldest_first[0] if oldest_first and oldest_first[0].deleted_at is None else None
    return Steps(
        has_run=Run.objects.scripts().exists(),
        has_written=len(oldest_first) > 1,
        has_schedule=Schedule.objects.exists()
        or Run.objects.filter(trigger=Trigger.SCHEDULE).exists(),
        starter=starter,
        own=newest,
    )


def _bad_since(moment: datetime) -> int:
    return Run.objects.scripts().filter(finished_at__gte=moment, status__in=history.BAD).count()


def _ran_lately() -> list[Script]:
    """The scripts that ran last, by name: a list that kept its newest on top would jump about while one reads it."""
    newest = Run.objects.filter(script=OuterRef("pk")).newest_first().values("pk")[:1]
    rows = Script.objects.present().annotate(newest=Subquery(newest, output_field=IntegerField()))
    lately = rows.filter(newest__isnull=False).order_by("-newest").only("name", "slug")[:STRIPS]
    return sorted(lately, key=lambda script: script.name.casefold())


def _troubles(failing: list[Script], strip_of: dict[int, Strip]) -> Iterator[Trouble]:
    runs = Run.objects.in_bulk([script.verdict_id for script in failing])  # type: ignore[attr-defined]  # annotated
    for script in failing:
        if run := runs.get(script.verdict_id):  # type: ignore[attr-defined]  # gone when retention was faster
            yield Trouble(script=script, run=run, strip=strip_of.get(script.pk, Strip()))


def _broken_environments() -> Some[Script]:
    rows = Script.objects.present().filter(environments.in_trouble())
    related = rows.select_related("wanted_environment").order_by("name", "pk")
    return Some.of(
        list(
            related.only("name", "slug", "wanted_environment__message", "wanted_environment__fault")
        )
    )


def _suspended() -> Some[Schedule]:
    rows = Schedule.objects.filter(script__deleted_at=None).exclude(message="")
    return Some.of(list(rows.select_related("script").order_by("pk")))
