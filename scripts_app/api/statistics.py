"""REST operations on what runs add up to, for one script and for all."""

from datetime import date
from typing import Annotated

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query
from pydantic import BaseModel

from runs_app.figures import all_scripts, script_overview
from runs_app.figures.script_overview import Overview, Period
from runs_app.figures.tally import Tally
from scripts_app import lookup, reach
from scripts_app.api.common import router
from tempo_site import auth

Days = Annotated[int, Query(default=30, ge=1, le=366)]


class PeriodOut(BaseModel):
    """Good and bad runs of a period; `rate` is in per cent, null without any."""

    period: str
    good: int
    bad: int
    rate: float | None


class DurationOut(BaseModel):
    """Seconds that good runs took. Quantiles are within 2.5 %; `trend_percent` compares the median with as many days
    before.
    """

    median_s: float | None
    p95_s: float | None
    mean_s: float | None
    min_s: float | None
    max_s: float | None
    trend_percent: float | None


class PunctualityOut(BaseModel):
    """Runs that a schedule brought about; `late` are those that began more than 5 s late, `rate` the others in %."""

    due: int
    late: int
    rate: float | None
    mean_late_ms: float | None
    max_late_ms: int


class StreakOut(BaseModel):
    """Runs in a row: good or bad ones up to now, and the most good ones within a year."""

    good: int
    bad: int
    longest_good: int


class DayOut(BaseModel):
    """One day in the server's time zone; days without a run are left out."""

    day: date
    succeeded: int
    failed: int
    timed_out: int
    cancelled: int
    lost: int
    skipped: int
    missed: int
    median_s: float | None
    p95_s: float | None
    cpu_s: float
    peak_memory_mb: float


class StatisticsOut(BaseModel):
    """What a script's runs of the last `days` days add up to; runs that were pruned count as well."""

    script: str
    days: int
    since: date
    runs: int
    success: list[PeriodOut]
    duration: DurationOut
    cpu_s: float
    cpu_max_s: float
    peak_memory_mb: float
    memory_limit_mb: int
    punctuality: PunctualityOut
    streak: StreakOut
    kept_runs: int
    kept_bytes: int
    items: list[DayOut]


class ScriptFiguresOut(BaseModel):
    """A script among all others."""

    script: str
    name: str
    runs: int
    bad: int
    rate: float | None
    mean_s: float | None
    cpu_s: float
    peak_memory_mb: float
    kept_runs: int
    kept_bytes: int


class AllStatisticsOut(BaseModel):
    """All scripts that ran in the last `days` days or have runs in the history, by address."""

    items: list[ScriptFiguresOut]
    next_cursor: str | None


@router.get("/scripts/{slug:slug}/statistics", response=StatisticsOut)
def read_statistics(request: HttpRequest, slug: str, days: Days) -> StatisticsOut:
    """Show what a script's runs add up to, by day and in all."""
    script = lookup.script(slug)
    shown = script_overview.overview(script, now=timezone.now(), days=days)
    return statistics_out(script.slug, script.memory_mb, shown)


@router.get("/statistics", response=AllStatisticsOut)
@auth.filters_by_limits
def read_all_statistics(request: auth.AuthenticatedRequest, days: Days) -> AllStatisticsOut:
    """List what the runs of every script add up to."""
    among = reach.within(request.auth.limits, "script")
    rows = all_scripts.figures_of_scripts(now=timezone.now(), days=days, among=among)
    items = [ScriptFiguresOut.model_construct(**row.as_json()) for row in rows]
    return AllStatisticsOut.model_construct(items=items, next_cursor=None)


def statistics_out(slug: str, memory_limit_mb: int, shown: Overview) -> StatisticsOut:
    total = shown.total
    kept = shown.year.values()
    return StatisticsOut.model_construct(
        script=slug,
        days=shown.days,
        since=shown.since,
        runs=total.runs,
        success=[period_out(period) for period in shown.periods],
        duration=duration_out(total, shown.trend_percent),
        cpu_s=total.cpu_s,
        cpu_max_s=total.cpu_max_s,
        peak_memory_mb=total.memory_max_mb,
        memory_limit_mb=memory_limit_mb,
        punctuality=punctuality_out(total),
        streak=StreakOut.model_construct(
            good=shown.streak.good, bad=shown.streak.bad, longest_good=shown.streak.longest_good
        ),
        kept_runs=sum(tally.kept_runs for tally in kept),
        kept_bytes=sum(tally.kept_bytes for tally in kept),
        items=[day_out(day, tally) for day, tally in shown.by_day.items()],
    )


def period_out(period: Period) -> PeriodOut:
    return PeriodOut.model_construct(
        period=period.name, good=period.good, bad=period.bad, rate=period.rate
    )


def duration_out(total: Tally, trend_percent: float | None) -> DurationOut:
    return DurationOut.model_construct(
        median_s=total.median_s,
        p95_s=total.p95_s,
        mean_s=total.mean_s,
        min_s=total.duration_min_s,
        max_s=total.duration_max_s,
        trend_percent=trend_percent,
    )


def punctuality_out(total: Tally) -> PunctualityOut:
    return PunctualityOut.model_construct(
        due=total.due,
        late=total.late,
        rate=total.punctuality,
        mean_late_ms=total.mean_late_ms,
        max_late_ms=total.late_max_ms,
    )


def day_out(day: date, tally: Tally) -> DayOut:
    return DayOut.model_construct(
        day=day,
        succeeded=tally.succeeded,
        failed=tally.failed,
        timed_out=tally.timed_out,
        cancelled=tally.cancelled,
        lost=tally.lost,
        skipped=tally.skipped,
        missed=tally.missed,
        median_s=tally.median_s,
        p95_s=tally.p95_s,
        cpu_s=tally.cpu_s,
        peak_memory_mb=tally.memory_max_mb,
    )
