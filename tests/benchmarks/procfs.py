"""What the kernel says of the processes of a service: their memory and their time on a core."""

import time
from collections.abc import Iterable
from pathlib import Path

from tests.service import Service, is_web

PROC = Path("/proc")


def tree(service: Service) -> dict[int, str]:
    """The command line of the launcher and of every process below it, by pid."""
    found = {service.launcher_pid: "launcher"}
    pending = [service.launcher_pid]
    while pending:
        for pid, command in service.children(pending.pop()):
            found[pid] = "web" if is_web(command) else command
            pending.append(pid)
    return found


def pss_mb(pid: int) -> float:
    """Proportional set size of a process: its own pages, and its share of those it has in common with others."""
    return _rollup_mb(pid, "Pss")


def rss_mb(pid: int) -> float:
    """Resident set size of a process: what it shares with others counts in full, so nobody else's work changes it."""
    return _rollup_mb(pid, "Rss")


def anonymous_mb(pid: int) -> float:
    """What a process has written itself: neither its neighbours nor the files that it maps change it."""
    return _rollup_mb(pid, "Anonymous")


def _rollup_mb(pid: int, name: str) -> float:
    rollup = (PROC / str(pid) / "smaps_rollup").read_text()
    line = next(line for line in rollup.splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) / 1024


def cpu_s(pid: int) -> float:
    """Seconds that the threads of a process have been on a core, to the nanosecond: ticks are too coarse for idling."""
    stats = (PROC / str(pid) / "task").glob("*/schedstat")
    return sum(int(stat.read_text().split()[0]) for stat in stats) / 1e9


def percents(pids: Iterable[int], *, over_s: float) -> dict[int, float]:
    """How much of a core each process takes in the seconds to come."""
    before = {pid: cpu_s(pid) for pid in pids}
    began = time.monotonic()
    time.sleep(over_s)
    elapsed_s = time.monotonic() - began
    return {pid: (cpu_s(pid) - before[pid]) / elapsed_s * 100 for pid in before}
