"""Measuring a run: processes, memory and CPU time of its tree, read straight from /proc, and `samples.csv`."""

import os
import resource
import time
from typing import NamedTuple

from runs_app.launcher import files
from runs_app.launcher.watch import procfs, tree

NAME = "samples.csv"
_HEAD = b"at_ms,cpu_percent,memory_kb,processes,output_bytes\n"
_MAX_LINES = 1200  # then every second line goes, and samples come half as often
_MAX_BYTES = 1 << 20  # more than so many lines have
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
# While no process moved by more than this, memory is not added up anew ...
_SAME_MEMORY = 64 * 1024
_MAX_REUSES = 10  # ... for as many times: pages may have become private meanwhile


class Usage(NamedTuple):
    processes: int
    cpu_s: float  # of processes that live and processes that have ended
    memory_bytes: int


class Meter:
    def __init__(self) -> None:
        self._cpu_of_runs_before_s = _cpu_of_ended_s()
        self._descendants = _descendants_by_table
        if procfs.knows_children():
            self._descendants = _descendants_by_children
        self._resident: dict[int, int] = {}
        self._memory = 0
        self._reuses = 0
        self.max_processes = 0
        self.peak_bytes = 0
        self.is_peak_exact = True  # every page is counted once, however many processes share it
        self.most_reserved_bytes = 0  # by one process
        self.largest_bytes = 0  # of the processes that have ended, the peak of the largest

    def pids(self) -> list[int]:
        pids = self._descendants()
        self.max_processes = max(self.max_processes, len(pids))
        return pids

    def resident(self, pids: list[int]) -> dict[int, int]:
        """Return each process's bytes in RAM: together never less than `memory()`, for a thirtieth of the price."""
        memory = {pid: procfs.memory_bytes(pid) for pid in pids}
        reserved = (one.reserved for one in memory.values())
        self.most_reserved_bytes = max(self.most_reserved_bytes, *reserved, 0)
        return {pid: one.resident for pid, one in memory.items()}

    def cpu_s(self, pids: list[int]) -> float:
        living = sum(map(procfs.cpu_ticks, pids))
        return self.ended_cpu_s() + living / _TICKS_A_SECOND

    def note_end(self, usage: resource.struct_rusage) -> None:
        self.largest_bytes = max(self.largest_bytes, usage.ru_maxrss * 1024)

    def ended_cpu_s(self) -> float:
        """Return the CPU time of the run's processes that have ended."""
        return _cpu_of_ended_s() - self._cpu_of_runs_before_s

    def memory(self, resident: dict[int, int]) -> int:
        """Return the bytes of memory of all processes together."""
        self._reuses += 1
        if self._reuses > _MAX_REUSES or not self._is_as_before(resident):
            self._resident = resident
            self._reuses = 0
            self._memory, is_exact = _total(resident)
            if self._memory > self.peak_bytes:
                self.peak_bytes, self.is_peak_exact = self._memory, is_exact
        return self._memory

    def usage(self, resident: dict[int, int]) -> Usage:
        cpu_s = self.cpu_s(list(resident))
        return Usage(len(resident), cpu_s, self.memory(resident))

    def _is_as_before(self, resident: dict[int, int]) -> bool:
        before = self._resident
        return before.keys() == resident.keys() and all(
            abs(size - before[pid]) < _SAME_MEMORY for pid, size in resident.items()
        )


def _cpu_of_ended_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class Samples:
    """Writes `samples.csv`: at most 1,200 lines, however long the run is; a disk that refuses costs samples only."""

    def __init__(self, folder_fd: int, *, interval_s: float) -> None:
        self._folder_fd = folder_fd
        self._interval_s = interval_s
        self._lines = 0
        self._fd = -1
        self._due_at = 0.0
        self._cpu_s = 0.0
        self._at = time.monotonic()

    def add(self, usage: Usage, output_bytes: int, now: float) -> None:
        if now < self._due_at:
            return
        share = (usage.cpu_s - self._cpu_s) / max(now - self._at, 0.001)
        self._cpu_s = usage.cpu_s
        self._at = now
        self._due_at = now + self._interval_s * 0.9
        line = b"%d,%.1f,%d,%d,%d\n" % (
            int(time.time() * 1000),
            max(0.0, share * 100),
            usage.memory_bytes // 1024,
            usage.processes,
            output_bytes,
        )
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
        # Keeps every second line, and half as many come from now on. A reader meanwhile sees the old file whole.
        self._interval_s *= 2
        content = files.read(NAME, dir_fd=self._folder_fd, max_bytes=_MAX_BYTES)
        kept = content.splitlines(keepends=True)[1::2]
        self._lines = len(kept)
        os.close(self._fd)
        self._fd = -1
        files.write(NAME, _HEAD + b"".join(kept), dir_fd=self._folder_fd)
        flags = os.O_WRONLY | os.O_APPEND
        self._fd = files.open_existing(NAME, dir_fd=self._folder_fd, flags=flags)


def _total(resident: dict[int, int]) -> tuple[int, bool]:
    total, is_exact = 0, True
    for pid, resident_bytes in resident.items():
        proportional_bytes = procfs.proportional_bytes(pid)
        if proportional_bytes is None:
            total += resident_bytes
            is_exact = False
        else:
            total += proportional_bytes
    return total, is_exact


def _descendants_by_children() -> list[int]:
    # Orphans too are our children, as we are a subreaper. Zombies use nothing but their pid.
    found: list[int] = []
    ahead = procfs.children(os.getpid())
    while ahead:
        pid = ahead.pop()
        found.append(pid)
        ahead += procfs.children(pid)
    return found


def _descendants_by_table() -> list[int]:
    return sorted(tree.descendants(os.getpid()))
