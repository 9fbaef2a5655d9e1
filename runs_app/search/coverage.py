"""Which runs the index holds: all between `low` and `high` but for the open ones. Stored in `search/coverage.json`.

New runs move `high` up; what is indexed anew moves `low` down, from the newest run to the oldest.
"""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from runs_app.models import Run
from runs_app.search import month_index
from tempo_site.lib import files, paths

MAX_BYTES = 16 * 2**20
PAGE = 500
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """`open`: runs up to `high` that had not ended. `unsaved`: months that a power cut would spoil, since `boot`.

    Runs above `high` are no gap: the next ones to be indexed are gathered there.
    """

    low: int
    high: int
    open: frozenset[int] = frozenset()
    months: frozenset[str] = frozenset()
    unsaved: frozenset[str] = frozenset()
    boot: str = ""
    is_known: bool = True  # False where nothing is stored, which makes the index anew

    @property
    def is_complete(self) -> bool:
        return self.low == 0

    def with_month(self, month: str) -> "Coverage":
        months, unsaved = self.months | {month}, self.unsaved | {month}
        return replace(self, months=months, unsaved=unsaved)

    def again(self) -> "Coverage":
        """Return the coverage that looks at all runs again; runs that a file holds are passed over quickly."""
        months = self.months & frozenset(month_index.months())
        return replace(self, low=self.high, months=months)


def boot_id() -> str:
    """Return what names the time since the machine was started, or "" where the system does not say."""
    try:
        return files.read_regular(BOOT_ID, max_bytes=100).decode().strip()
    except OSError:
        return ""


def load() -> Coverage | None:
    """Return what is stored; None when there is nothing, or it cannot be read."""
    try:
        content = json.loads(files.read_regular(_path(), max_bytes=MAX_BYTES))
        return Coverage(
            low=int(content["low"]),
            high=int(content["high"]),
            open=frozenset(map(int, content["open"])),
            months=frozenset(map(str, content["months"])),
            unsaved=frozenset(map(str, content["unsaved"])),
            boot=str(content["boot"]),
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return None


def save(coverage: Coverage) -> None:
    content = {
        "low": coverage.low,
        "high": coverage.high,
        "open": sorted(coverage.open),
        "months": sorted(coverage.months),
        "unsaved": sorted(coverage.unsaved),
        "boot": coverage.boot,
    }
    # A lost file costs a look at all runs, and nothing else.
    files.write_atomic(_path(), json.dumps(content), durable=False)


def reliable(stored: Coverage | None, usable_months: Collection[str]) -> Coverage:
    """Return what a search may rely on: nothing where a file of the index is missing."""
    if stored is None:
        return Coverage(low=0, high=0, is_known=False)
    if stored.months.difference(usable_months):
        return replace(stored, low=stored.high)
    return stored


def percent(coverage: Coverage) -> int:
    """Return how much of the history is indexed, in percent of runs."""
    if coverage.is_known and coverage.is_complete:
        return 100
    first = Run.objects.order_by("pk").values_list("pk", flat=True).first()
    if first is None:
        return 100
    whole = coverage.high - first + 1
    if whole <= 0:
        return 0
    return min(99, max(0, 100 * (coverage.high - coverage.low) // whole))


def not_covered(coverage: Coverage, *, below: int) -> Iterator[int]:
    """Yield the runs with output that the index may not hold, below a run, the newest first."""
    yield from _descending(above=coverage.high, below=below)
    yield from sorted((run for run in coverage.open if run < below), reverse=True)
    yield from _descending(above=0, below=min(below, coverage.low + 1))


def _descending(*, above: int, below: int) -> Iterator[int]:
    # A single bound at either end: of two SQLite takes the first one, and reads all rows up to the other.
    rows = Run.objects.exclude(folder="").filter(pk__gt=above).order_by("-pk")
    while below > above + 1:
        page = list(rows.filter(pk__lt=below).values_list("pk", flat=True)[:PAGE])
        yield from page
        below = page[-1] if page else 0


def _path() -> Path:
    return paths.search() / "coverage.json"
