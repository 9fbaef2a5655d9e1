"""What a run uses: processes, memory and CPU time of its tree, read straight from /proc, and `samples.csv`."""

import os
import resource
import time
from typing import NamedTuple

from runs_app.launcher import files
from runs_app.launcher.watch import procfs, tree

NAME = "samples.csv"
_HEAD = b"at_ms,cpu_percent,memory_kb,processes,output_bytes\n"
_MAX_LINES = 1200  # then every second one goes, and samples come half as often
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_SAME_MEMORY = 64 * 1024  # resident memory that moved less than this is not added up anew ...
_MAX_REUSES = 10  # ... for as many times: pages may have become private meanwhile


class Usage(NamedTuple):
    """A tree at one moment."""

    processes: int
    cpu_s: float  # of those that live and those that have ended
    memory_bytes: int


class Meter:
    """Measures the tree below this process."""

    def __init__(self) -> None:
        self._descendants = (
            _descendants_by_children if procfs.knows_children() else _descendants_by_table
        )
        self._resident: dict[int, int] = {}
        self._memory: tuple[int, bool] = (0, True)
        self._kept = 0
        self.most_processes = 0
        self.peak_bytes = 0

    def pids(self) -> list[int]:
        """Everybody in the tree."""
        pids = self._descendants()
        self.most_processes = max(self.most_processes, len(pids))
        return pids

    def resident(self, pids: list[int]) -> dict[int, int]:
        """Bytes of each process that are in RAM: together never less than `memory()`, for a thirtieth of its price."""
        return {pid: procfs.resident_bytes(pid) for pid in pids}

    def cpu_s(self, pids: list[int]) -> float:
        """CPU seconds of the tree so far."""
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        living = sum(map(procfs.cpu_ticks, pids))
        return usage.ru_utime + usage.ru_stime + living / _TICKS_A_SECOND

    def memory(self, resident: dict[int, int]) -> tuple[int, bool]:
        """Bytes of memory, and whether that is exact: each page once, however many processes share it."""
        self._kept += 1
        if self._kept > _MAX_REUSES or not self._is_as_before(resident):
            self._resident, self._kept = resident, 0
            self._memory = _total(resident)
            self.peak_bytes = max(self.peak_bytes, self._memory[0])
        return self._memory

    def usage(self, resident: dict[int, int]) -> Usage:
        """All of it."""
        return Usage(len(resident), self.cpu_s(list(resident)), self.memory(resident)[0])

    def _is_as_before(self, resident: dict[int, int]) -> bool:
        before = self._resident
        return before.keys() == resident.keys() and all(
            abs(size - before[pid]) < _SAME_MEMORY for pid, size in resident.items()
        )


class Samples:
    """Writes `samples.csv`: at most 1,200 lines, however long the run is. A disk that refuses costs samples only."""

    def __init__(self, folder_fd: int, *, interval_s: float) -> None:
        self._folder_fd = folder_fd
        self._interval_s = interval_s
        self._lines = 0
        self._fd = -1
        self._due_at = 0.0
        self._cpu_s = 0.0
        self._at = time.monotonic()

    def add(self, usage: Usage, output_bytes: int, now: float) -> None:
        """Write a line, if one is due at `now` (of the monotonic clock)."""
        if now < self._due_at:
            return
        share = (usage.cpu_s - self._cpu_s) / max(now - self._at, 0.001)
        self._cpu_s, self._at, self._due_at = usage.cpu_s, now, now + self._interval_s * 0.9
        fields = (int(time.time() * 1000), max(0.0, share * 100), usage.memory_bytes // 1024)
        line = b"%d,%.1f,%d,%d,%d\n" % (*fields, usage.processes, output_bytes)
        try:
            self._write(line)
        except OSError:
            return

    def _write(self, line: bytes) -> None:
        if self._fd < 0:
            self._fd = files.create(NAME, dir_fd=self._folder_fd)
            os.write(self._fd, _HEAD)
        os.write(self._fd, line)
        self._lines += 1
        if self._lines >= _MAX_LINES:
            self._thin_out()

    def _thin_out(self) -> None:
        """Keep every second line and take half as many from now on. Whoever reads meanwhile sees the old file whole."""
        self._interval_s *= 2
        fd = os.open(NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._folder_fd)
        with open(fd, "rb") as file:
            kept = file.read().splitlines(keepends=True)[1::2]
        self._lines = len(kept)
        os.close(self._fd)
        self._fd = -1
        files.write(NAME, _HEAD + b"".join(kept), dir_fd=self._folder_fd)
        self._fd = os.open(
            NAME, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._folder_fd
        )


def _total(resident: dict[int, int]) -> tuple[int, bool]:
    parts = {pid: procfs.proportional_bytes(pid) for pid in resident}
    total = sum(resident[pid] if part is None else part for pid, part in parts.items())
    return total, None not in parts.values()


def _descendants_by_children() -> list[int]:
    """Descendants by walking down: orphans too are ours, as a subreaper. Zombies use nothing but their pid."""
    found: list[int] = []
    ahead = procfs.children(os.getpid())
    while ahead:
        pid = ahead.pop()
        found.append(pid)
        ahead += procfs.children(pid)
    return found


def _descendants_by_table() -> list[int]:
    return sorted(tree.descendants(os.getpid()))
