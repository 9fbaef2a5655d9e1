"""The dashboard: figures, troubles that need a person, the last week by the hour, and a newcomer's first steps."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypedDict, TypeVar

from django.db.models import F, IntegerField, OuterRef, Q, QuerySet, Subquery

from notifications_app.models import Channel
from runs_app import states
from runs_app.history import history, recent_runs, run_days
from runs_app.history.recent_runs import Strip
from runs_app.history.run_days import RunDay
from runs_app.models import Run
from scripts_app import script_templates
from scripts_app.environments import environments
from scripts_app.models import Schedule, Script
from scripts_app.schedules import agenda, outlook
from scripts_app.schedules.agenda import NextDay
from scripts_app.script_templates import ScriptTemplate
from tempo_site import health, system
from tempo_site.lib import machine, paths, zone
from tempo_site.pages.first_steps import FirstSteps, first_steps
from tempo_site.pages.week import Week, count_week

MAX_ACTIVE_RUNS = 20
MAX_LAST_RUNS = 8
MAX_DUE = 6
MAX_DRAWN = (
    100  # schedules whose next 24 hours are drawn: this part is fetched again with every run
)
MAX_STRIPS = 8
MAX_TROUBLES = 6  # of each sort; more are a number and a link
HIGH_PERCENT = 90

ENDED = Q(finished_at__isnull=False)  # those that have not are listed as running

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Gauge:
    used: int
    total: int

    @property
    def percent(self) -> int:
        if not self.total:
            return 0
        return round(100 * self.used / self.total)

    @property
    def is_high(self) -> bool:
        return self.percent >= HIGH_PERCENT


@dataclass(frozen=True, kw_only=True)
class DashboardTrouble:
    script: Script
    run: Run
    strip: Strip


@dataclass(frozen=True, kw_only=True)
class Some(Generic[T]):
    first: list[T]
    more: int

    @classmethod
    def of_rows(cls, rows: Iterable[T]) -> "Some[T]":
        found = list(rows)
        return cls(first=found[:MAX_TROUBLES], more=len(found[MAX_TROUBLES:]))


class MachineContext(TypedDict):
    cpu_percent: float | None
    cores: int
    load: float
    memory: Gauge
    disk: Gauge


class ActiveContext(TypedDict):
    """The runs that have not ended yet: the longest first, and how many there are."""

    active_runs: list[Run]
    active_count: int
    running_count: int
    waiting_count: int


class TroubleContext(TypedDict):
    """What needs a person: `need_count` counts scripts and channels, each once."""

    need_count: int
    script_count: int
    troubles: list[DashboardTrouble]
    more_troubles: int
    broken_environments: Some[Script]
    aside: Some[Schedule]
    suspended_channels: list[Channel]
    strips: list[tuple[Script, Strip]]


class DueContext(TypedDict):
    """The next starts, and the next 24 hours of the schedules that start first."""

    due_schedules: list[Schedule]
    next_day: NextDay
    has_more_due: bool


class DashboardContext(DueContext, MachineContext, ActiveContext, TroubleContext):
    now: datetime
    failed_today: int
    week: Week
    last_runs: list[RunDay]
    steps: FirstSteps
    featured: list[ScriptTemplate]


def dashboard_context(now: datetime) -> DashboardContext:
    """Return all figures, with the same number of queries for one script and for a thousand."""
    week = count_week(now)
    return {
        "now": now,
        **_due_context(now),
        **_active_context(),
        "failed_today": week.bad_today,
        "week": week,
        **machine_context(),
        "last_runs": run_days.undivided(history.page(limit=MAX_LAST_RUNS, more=ENDED)),
        **_trouble_context(),
        "steps": first_steps(),
        "featured": script_templates.featured_templates(),
    }


def _due_context(now: datetime) -> DueContext:
    due = outlook.due_next(now, limit=MAX_DRAWN)
    return {
        "due_schedules": due[:MAX_DUE],
        "next_day": agenda.next_day(due, now, zone.current()),
        "has_more_due": len(due) == MAX_DRAWN,
    }


def _active_context() -> ActiveContext:
    counts = system.active_counts()
    active = Run.objects.scripts().active().select_related("script")
    longest_first = active.order_by(F("started_at").asc(nulls_last=True), "pk")
    return {
        "active_runs": list(longest_first[:MAX_ACTIVE_RUNS]),
        "active_count": sum(counts.values()),
        "running_count": sum(counts.get(status, 0) for status in states.UNDER_WAY),
        "waiting_count": sum(counts.get(status, 0) for status in states.WAITING),
    }


def machine_context() -> MachineContext:
    return {
        "cpu_percent": health.cpu_percent(),
        "cores": system.cores(),
        "load": system.load()[0],
        "memory": memory(),
        "disk": disk(),
    }


def memory() -> Gauge:
    state = machine.memory()
    return Gauge(used=state.total - state.available, total=state.total)


def disk() -> Gauge:
    state = shutil.disk_usage(paths.data())
    return Gauge(used=state.total - state.free, total=state.total)


def _trouble_context() -> TroubleContext:
    failing = list(recent_runs.failing(Script.objects.present()).only("name", "slug"))
    shown = failing[:MAX_TROUBLES]
    ran_last = _scripts_that_ran_last()
    strips = recent_runs.recent_runs_of({script.pk for script in [*shown, *ran_last]})
    broken, aside = _broken_environments(), _suspended_schedules()
    channels = list(Channel.objects.exclude(suspended_at=None)[:MAX_TROUBLES])
    return {
        "need_count": _count_of_scripts(failing, broken, aside) + len(channels),
        "script_count": Script.objects.present().count(),
        "troubles": _troubles(shown, strips),
        "more_troubles": len(failing) - len(shown),
        "broken_environments": Some.of_rows(broken),
        "aside": Some.of_rows(aside),
        "suspended_channels": channels,
        "strips": [(script, strips.get(script.pk, Strip())) for script in ran_last],
    }


def _scripts_that_ran_last() -> list[Script]:
    newest = Run.objects.filter(script=OuterRef("pk")).newest_first().values("pk")[:1]
    scripts = Script.objects.present()
    rows = scripts.annotate(newest=Subquery(newest, output_field=IntegerField()))
    ran = rows.filter(newest__isnull=False).order_by("-newest").only("name", "slug")
    # By name: a list that kept its newest on top would jump about while a person reads.
    return sorted(ran[:MAX_STRIPS], key=lambda script: script.name.casefold())


def _troubles(failing: list[Any], strips: dict[int, Strip]) -> list[DashboardTrouble]:
    # The scripts bear `verdict_id`, the id of their last verdict.
    runs = Run.objects.in_bulk([script.verdict_id for script in failing])
    troubles = []
    for script in failing:
        run = runs.get(script.verdict_id)
        if run:  # gone when retention was faster
            strip = strips.get(script.pk, Strip())
            troubles.append(DashboardTrouble(script=script, run=run, strip=strip))
    return troubles


def _count_of_scripts(failing: list[Any], broken: list[Script], aside: list[Schedule]) -> int:
    of_schedules = {schedule.script_id for schedule in aside}
    return len({script.pk for script in [*failing, *broken]} | of_schedules)


def _broken_environments() -> list[Script]:
    broken = Script.objects.present().filter(environments.in_trouble())
    rows: QuerySet[Script] = broken.select_related("wanted_environment").order_by("name", "pk")
    shown = ("name", "slug", "wanted_environment__message", "wanted_environment__fault")
    return list(rows.only(*shown))


def _suspended_schedules() -> list[Schedule]:
    rows = Schedule.objects.filter(script__deleted_at=None).exclude(message="")
    return list(rows.select_related("script").order_by("pk"))
