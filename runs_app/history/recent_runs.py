"""The last runs of many scripts at a glance: strips of bars, their medians, and the verdict each script lives with."""

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

LENGTH = 30
NEVER_RAN = (Status.SKIPPED, Status.MISSED)
WORDS = {status.value: str(status.label).lower() for status in Status}
VERDICTS = states.FINAL - frozenset(NEVER_RAN)  # what says how a script is doing


class Bar(NamedTuple):
    """One run in a strip."""

    pk: int
    status: str
    duration_s: float | None

    @property
    def is_bad(self) -> bool:
        """Whether a person should look."""
        return self.status in history.BAD


@dataclass(frozen=True)
class Strip:
    """The last runs of a script, oldest first."""

    bars: tuple[Bar, ...] = ()

    @property
    def median_s(self) -> float | None:
        """The middle duration of those that succeeded, in seconds."""
        spans = [
            bar.duration_s
            for bar in self.bars
            if bar.status == Status.SUCCEEDED and bar.duration_s is not None
        ]
        return median(spans) if spans else None

    @property
    def bad_in_a_row(self) -> int:
        """How many verdicts at its end were bad ones, one after the other."""
        count = 0
        for bar in reversed(self.bars):
            if bar.status in VERDICTS:
                if not bar.is_bad:
                    break
                count += 1
        return count

    def describe(self) -> str:
        """The strip in words, for those who cannot see it."""
        if not self.bars:
            return "No run yet"
        counts = Counter([bar.status for bar in self.bars])
        parts = ", ".join(f"{count} {WORDS[status]}" for status, count in counts.most_common())
        newest = WORDS[self.bars[-1].status]
        return (
            f"Last {len(self.bars)} runs: {parts}; the newest {newest}"
            if len(self.bars) > 1
            else f"1 run: {newest}"
        )


def recent_runs_of(script_ids: Iterable[int]) -> dict[int, Strip]:
    """The strip of each of these scripts that ever ran. One query.

    A subquery per script walks the index `run_of_script` from its newest end, so the cost is that of the rows returned;
    numbering all runs by a window function would read the whole history.
    """
    newest = Run.objects.filter(script=OuterRef("pk")).newest_first().values("pk")[:LENGTH]
    rows = Script.objects.filter(pk__in=list(script_ids), runs__pk__in=Subquery(newest)).order_by(
        "pk", "runs__pk"
    )
    found: dict[int, list[Bar]] = {}
    for script_id, pk, status, duration_s in rows.values_list(
        "pk", "runs__pk", "runs__status", "runs__duration_s"
    ):
        found.setdefault(script_id, []).append(Bar(pk, status, duration_s))
    return {script_id: Strip(tuple(bars)) for script_id, bars in found.items()}


def with_verdict(rows: QuerySet[Script]) -> QuerySet[Any]:
    """Add `verdict` and `verdict_id`: how the last run ended that came to an end at all."""
    last = Run.objects.filter(script=OuterRef("pk"), status__in=VERDICTS).newest_first()
    return rows.annotate(
        verdict=Subquery(last.values("status")[:1]), verdict_id=Subquery(last.values("pk")[:1])
    )


def failing(rows: QuerySet[Script]) -> QuerySet[Any]:
    """Those whose last verdict is a bad one, the newest first."""
    return with_verdict(rows).filter(verdict__in=history.BAD).order_by("-verdict_id")
