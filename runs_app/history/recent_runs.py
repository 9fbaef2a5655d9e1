"""The last runs of many scripts: strips of bars, their medians, and the last verdict on each script."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import Any, NamedTuple

from django.db.models import OuterRef, QuerySet, Subquery

from runs_app import states
from runs_app.history import history
from runs_app.models import Run
from runs_app.states import Status
from scripts_app.models import Script

MAX_BARS = 30
NEVER_RAN = (Status.SKIPPED, Status.MISSED)
WORDS = {status.value: str(status.label).lower() for status in Status}
VERDICTS = states.FINAL - frozenset(NEVER_RAN)  # what says how a script is doing


class Bar(NamedTuple):
    pk: int
    status: str
    duration_s: float | None

    @property
    def is_bad(self) -> bool:
        return self.status in history.BAD


@dataclass(frozen=True)
class Strip:
    bars: tuple[Bar, ...] = ()

    @property
    def median_s(self) -> float | None:
        durations = []
        for bar in self.bars:
            if bar.status == Status.SUCCEEDED and bar.duration_s is not None:
                durations.append(bar.duration_s)
        return median(durations) if durations else None

    @property
    def bad_in_a_row(self) -> int:
        count = 0
        for bar in reversed(self.bars):
            if bar.status not in VERDICTS:
                continue
            if not bar.is_bad:
                break
            count += 1
        return count

    def describe(self) -> str:
        if not self.bars:
            return "No run yet"
        newest = WORDS[self.bars[-1].status]
        if len(self.bars) == 1:
            return f"1 run: {newest}"
        counts = Counter([bar.status for bar in self.bars])
        parts = ", ".join(f"{count} {WORDS[status]}" for status, count in counts.most_common())
        return f"Last {len(self.bars)} runs: {parts}; the newest {newest}"


def recent_runs_of(script_ids: Iterable[int]) -> dict[int, Strip]:
    """Return the strip of each of these scripts that ever ran. One query."""
    # A subquery per script walks the index `run_of_script` from its newest end, so the cost is that of the rows
    # returned; numbering all runs by a window function would read the whole history.
    newest = Run.objects.filter(script=OuterRef("pk")).newest_first().values("pk")[:MAX_BARS]
    scripts = Script.objects.filter(pk__in=list(script_ids), runs__pk__in=Subquery(newest))
    rows = scripts.order_by("pk", "runs__pk").values_list(
        "pk", "runs__pk", "runs__status", "runs__duration_s"
    )
    bars: dict[int, list[Bar]] = {}
    for script_id, pk, status, duration_s in rows:
        bars.setdefault(script_id, []).append(Bar(pk, status, duration_s))
    return {script_id: Strip(tuple(bars_of_script)) for script_id, bars_of_script in bars.items()}


def with_verdict(rows: QuerySet[Script]) -> QuerySet[Any]:
    """Add `verdict` and `verdict_id`: status and id of the last run that was executed to an end."""
    last = Run.objects.filter(script=OuterRef("pk"), status__in=VERDICTS).newest_first()
    return rows.annotate(
        verdict=Subquery(last.values("status")[:1]), verdict_id=Subquery(last.values("pk")[:1])
    )


def failing(rows: QuerySet[Script]) -> QuerySet[Any]:
    """Return the scripts whose last verdict is bad, the newest failure first."""
    return with_verdict(rows).filter(verdict__in=history.BAD).order_by("-verdict_id")
