"""Memory: how much is available on this machine, and how much runs may need that are about to begin."""

from collections.abc import Sequence
from pathlib import Path

from runs_app import hot_statements
from runs_app.hot_statements import RunUnderWay
from runs_app.models import Run
from tempo_site.lib import machine

MB = 2**20
LAST_RUNS = 30  # of a script, whose peaks say what its next run may need
HEADROOM = 1.5
MIN_MB = 32  # an interpreter and a bit: a run that failed at once says nothing about the next
CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")


def available_mb() -> int:
    """Return the megabytes that processes can still take without swapping, of the machine and of the container."""
    available = machine.memory().available
    left = _left_in_cgroup()
    if left is not None:
        available = min(available, left)
    return int(available // MB)


def _left_in_cgroup() -> int | None:
    # Bytes up to the memory limit of a container or a systemd unit; None where no limit is to be seen.
    try:
        folder = CGROUPS / _own_cgroup()
        limit = machine.read_figures(folder / "memory.max").strip()
        used = int(machine.read_figures(folder / "memory.current"))
        cached = _cached_bytes(machine.read_figures(folder / "memory.stat"))
        if limit == "max":
            return None
        return max(0, int(limit) - used + cached)
    except (OSError, ValueError):
        return None


def _own_cgroup() -> str:
    for line in machine.read_figures(OWN_CGROUP).splitlines():
        if line.startswith("0::"):
            return line.removeprefix("0::").lstrip("/")
    raise ValueError("no cgroup of version 2")


def _cached_bytes(statistics: str) -> int:
    # What the kernel gives back when it is asked for memory.
    for line in statistics.splitlines():
        name, value = line.split()
        if name == "inactive_file":
            return int(value)
    raise ValueError("no inactive_file in memory.stat")


def needs_mb(runs: Sequence[Run | RunUnderWay], *, enough_mb: int | None = None) -> dict[int, int]:
    """Return the megabytes that each run may need, by the run's id: the limit, or less by the script's last peaks."""
    limits = {run.pk: run.memory_mb for run in runs}
    has_limits = all(limits.values())
    # The peaks cost one query for all; it is saved where even the limits together need no more than is enough.
    if enough_mb is not None and has_limits and sum(limits.values()) <= enough_mb:
        return limits
    peaks = _peaks_mb(runs)
    return {run.pk: _need_mb(run.memory_mb, peaks.get(run.script_id or 0)) for run in runs}


def _need_mb(limit_mb: int, peak_mb: float | None) -> int:
    # A limit of 0 is no limit; without a limit and without history the need is not known, and the least must do.
    if not peak_mb:
        return limit_mb or MIN_MB
    likely_mb = max(MIN_MB, round(peak_mb * HEADROOM))
    if not limit_mb:
        return likely_mb
    return min(limit_mb, likely_mb)


def _peaks_mb(runs: Sequence[Run | RunUnderWay]) -> dict[int, float]:
    # The largest peak of each script's last runs, by the script's id. Only what is older than the first of these runs
    # is looked at: between that and the latest there may be a long queue.
    first: dict[int, int] = {}
    for run in runs:
        if run.script_id is None:
            continue
        first[run.script_id] = min(run.pk, first.get(run.script_id, run.pk))
    return hot_statements.peaks_mb(first, last=LAST_RUNS)
