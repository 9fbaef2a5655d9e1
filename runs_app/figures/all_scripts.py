"""All scripts beside each other: the slowest, the flakiest, the hungriest, the busiest hours, the disk they take."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple

from django.db.models import F, Max, Q, Sum
from django.template.defaultfilters import filesizeformat

from runs_app.figures import reading
from runs_app.figures.tally import Hour, rate_of
from runs_app.models import DailyFigures
from scripts_app.models import Script
from tempo_site.lib import humanize

MAX_RANKED = 10
SUMS = (
    *("good_total", "bad_total", "cancelled_total", "duration_total", "cpu_total", "memory_most"),
    *("kept_runs_total", "kept_bytes_total"),
)
NOTHING = dict.fromkeys(SUMS, 0)


@dataclass(frozen=True, kw_only=True)
class ScriptFigures:
    """What a script's runs of some days add up to, and what of all its runs is kept."""

    script: str
    name: str
    succeeded: int
    bad: int
    runs: int
    duration_s: float
    cpu_s: float
    peak_memory_mb: float
    kept_runs: int
    kept_bytes: int

    @property
    def rate(self) -> float | None:
        return rate_of(self.succeeded, self.bad)

    @property
    def bad_percent(self) -> float:
        return 100 - (self.rate if self.rate is not None else 100)

    @property
    def mean_s(self) -> float | None:
        if not self.succeeded:
            return None
        return self.duration_s / self.succeeded

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "rate": self.rate, "mean_s": self.mean_s}


class RankedScript(NamedTuple):
    """A row of a ranking: what is compared in words, and a note beside it."""

    script: ScriptFigures
    figure: str
    note: str


class Ranking(NamedTuple):
    title: str
    column: str
    empty: str
    rows: list[RankedScript]


class RankingRule(NamedTuple):
    """What a ranking compares, and how a row says it."""

    title: str
    column: str
    empty: str
    key: Callable[[ScriptFigures], float]
    describe: Callable[[ScriptFigures], tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class Rankings:
    tables: list[Ranking]
    hours: list[Hour]
    kept_runs: int
    kept_bytes: int

    @property
    def has_ended(self) -> bool:
        """Whether any run did in these days."""
        return any(hour.ended for hour in self.hours)


def figures_of_scripts(*, now: datetime, days: int, among: Q | None = None) -> list[ScriptFigures]:
    """Return the figures of all scripts with runs in these days or in the history, deleted ones apart, by slug.

    Three queries, whatever the history. Runs of the last half minute may be missing: they are not counted yet.
    """
    of_scripts = (
        DailyFigures.objects.filter(among or Q(), script__isnull=False)
        .order_by()
        .values("script_id")
    )
    lately = of_scripts.filter(day__gte=reading.first_day(now, days=days)).annotate(
        good_total=Sum("succeeded"),
        bad_total=Sum(F("failed") + F("timed_out") + F("lost")),
        cancelled_total=Sum("cancelled"),
        duration_total=Sum("duration_s"),
        cpu_total=Sum("cpu_s"),
        memory_most=Max("memory_max_mb"),
    )
    kept = of_scripts.filter(kept_runs__gt=0).annotate(
        kept_runs_total=Sum("kept_runs"), kept_bytes_total=Sum("kept_bytes")
    )
    sums: dict[int, dict[str, Any]] = {}
    for row in [*lately, *kept]:
        sums.setdefault(row["script_id"], {**NOTHING}).update(row)
    scripts = Script.objects.present().filter(pk__in=sums).order_by("slug")
    found = []
    for pk, slug, name in scripts.values_list("pk", "slug", "name"):
        found.append(_figures(slug, name, sums[pk]))
    return found


def rankings(*, now: datetime, days: int) -> Rankings:
    rows = figures_of_scripts(now=now, days=days)
    return Rankings(
        tables=[_ranking(rule, rows) for rule in RULES],
        hours=_hours(now, days=days),
        kept_runs=sum(row.kept_runs for row in rows),
        kept_bytes=sum(row.kept_bytes for row in rows),
    )


def _figures(slug: str, name: str, row: Mapping[str, Any]) -> ScriptFigures:
    return ScriptFigures(
        script=slug,
        name=name,
        succeeded=row["good_total"],
        bad=row["bad_total"],
        runs=row["good_total"] + row["bad_total"] + row["cancelled_total"],
        duration_s=row["duration_total"],
        cpu_s=row["cpu_total"],
        peak_memory_mb=row["memory_most"],
        kept_runs=row["kept_runs_total"],
        kept_bytes=row["kept_bytes_total"],
    )


def _ranking(rule: RankingRule, rows: list[ScriptFigures]) -> Ranking:
    compared = [row for row in rows if rule.key(row) > 0]
    highest = sorted(compared, key=rule.key, reverse=True)[:MAX_RANKED]
    described = [RankedScript(row, *rule.describe(row)) for row in highest]
    return Ranking(rule.title, rule.column, rule.empty, described)


def _hours(now: datetime, *, days: int) -> list[Hour]:
    hours = [Hour() for _ in range(24)]
    for tally in reading.days_of_all(since=reading.first_day(now, days=days)).values():
        for hour, counts in tally.hours.items():
            hours[hour].add(counts)
    return hours


def _mean_s(row: ScriptFigures) -> float:
    return row.mean_s or 0


def _describe_mean(row: ScriptFigures) -> tuple[str, str]:
    return humanize.span(_mean_s(row)), ""


def _describe_bad(row: ScriptFigures) -> tuple[str, str]:
    return f"{row.bad_percent:.1f} %", f"{row.bad:,} of {row.succeeded + row.bad:,}"


def _describe_memory(row: ScriptFigures) -> tuple[str, str]:
    return f"{row.peak_memory_mb:.0f} MB", ""


def _describe_cpu(row: ScriptFigures) -> tuple[str, str]:
    return humanize.span(row.cpu_s), ""


def _describe_runs(row: ScriptFigures) -> tuple[str, str]:
    return f"{row.runs:,}", ""


def _describe_kept(row: ScriptFigures) -> tuple[str, str]:
    plural = "" if row.kept_runs == 1 else "s"
    return filesizeformat(row.kept_bytes), f"{row.kept_runs:,} run{plural}"


RULES = (
    RankingRule(
        "Slowest", "Mean of good runs", "No run succeeded in these days.", _mean_s, _describe_mean
    ),
    RankingRule(
        "Flakiest",
        "Failed",
        "No run failed in these days.",
        attrgetter("bad_percent"),
        _describe_bad,
    ),
    RankingRule(
        "Hungriest",
        "Memory at most",
        "No memory was measured in these days.",
        attrgetter("peak_memory_mb"),
        _describe_memory,
    ),
    RankingRule(
        "Most CPU time",
        "CPU time",
        "No CPU time was measured in these days.",
        attrgetter("cpu_s"),
        _describe_cpu,
    ),
    RankingRule(
        "Most often", "Runs", "No run ended in these days.", attrgetter("runs"), _describe_runs
    ),
    RankingRule(
        "Most output", "Kept", "No output is kept.", attrgetter("kept_bytes"), _describe_kept
    ),
)
