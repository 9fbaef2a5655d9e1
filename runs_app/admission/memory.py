"""Memory: what is available on this machine, and what runs that are about to begin may need."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import psutil
from django.db.models import F, FloatField, OuterRef, Subquery

from runs_app.models import Run

MB = 2**20
LAST_RUNS = 30  # of a script, whose peaks say what its next run may need
HEADROOM = 1.5
MIN_MB = 32  # an interpreter and a bit: a run that failed at once says nothing about the next
CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")


class _Largest(Subquery):
    """The largest of the values that a subquery finds."""

    template = "(SELECT MAX(peak) FROM (%(subquery)s))"


def available_mb() -> int:
    """Megabytes that processes can still take without swapping, by the machine and by the container's limit."""
    amounts = [psutil.virtual_memory().available, *_left_in_cgroup()]
    return int(min(amounts) // MB)


def _left_in_cgroup() -> list[int]:
    """Bytes up to the memory limit of a container or a systemd unit; none where there is no limit to be seen."""
    try:
        name = next(
            line[3:] for line in OWN_CGROUP.read_text().splitlines() if line.startswith("0::")
        )
        folder = CGROUPS / name.lstrip("/")
        limit, used = (
            (folder / file).read_text().strip() for file in ("memory.max", "memory.current")
        )
        facts = (line.split() for line in (folder / "memory.stat").read_text().splitlines())
        # given back when asked for
        cached = next(int(value) for key, value in facts if key == "inactive_file")
        return [] if limit == "max" else [max(0, int(limit) - int(used) + cached)]
    except (OSError, ValueError, StopIteration):
        return []


def needs_mb(runs: Sequence[Run], *, enough_mb: int | None = None) -> dict[int, int]:
    """What each run may need, by id: its limit, or with some headroom the most that its script's last runs took.

    The peaks cost one query for all; it is saved where even the limits together need no more than `enough_mb`.
    """
    limits = {run.pk: run.memory_mb for run in runs}
    if enough_mb is not None and all(limits.values()) and sum(limits.values()) <= enough_mb:
        return limits
    peaks = _peaks_mb(runs)
    return {run.pk: _need_mb(run.memory_mb, peaks.get(run.script_id)) for run in runs}


def _need_mb(limit_mb: int, peak_mb: float | None) -> int:
    """0 is no limit; without a limit and without history nobody can say, and the least must do."""
    if not peak_mb:
        return limit_mb or MIN_MB
    likely_mb = max(MIN_MB, round(peak_mb * HEADROOM))
    return min(limit_mb, likely_mb) if limit_mb else likely_mb


def _peaks_mb(runs: Sequence[Run]) -> dict[int | None, float]:
    """The largest peak of each script's last runs, by the script's id.

    Only what is older than the first of these runs is looked at: between it and the latest there may be a long queue.
    """
    first = {run.script_id: run.pk for run in sorted(runs, key=lambda run: run.pk, reverse=True)}
    before = Run.objects.filter(script=OuterRef("script"), pk__lt=OuterRef("pk")).order_by("-pk")
    largest = _Largest(
        before.values(peak=F("peak_memory_mb"))[:LAST_RUNS], output_field=FloatField()
    )
    rows = Run.objects.filter(pk__in=first.values()).order_by().annotate(largest=largest)
    return {
        script: cast(float, peak) for script, peak in rows.values_list("script", "largest") if peak
    }
