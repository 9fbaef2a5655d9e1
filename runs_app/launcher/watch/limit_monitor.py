"""Keeping a run to its limits: a look at its tree four times a second or less, a sample a second for its chart.

Waking up is what a look costs, so it is put off while there is much room: twenty quiet runs that are looked at four
times a second took 2.9 % of a core, once a second 0.8 %.
"""

import os
from typing import NamedTuple

from runs_app.launcher.spec import Limits
from runs_app.launcher.watch import procfs
from runs_app.launcher.watch.sampling import Meter, Samples
from runs_app.launcher.watch.verdict import Cause

_LOOK_S = 0.25
_CROWDED_LOOK_S = 0.5  # where the kernel does not count the processes of a script's user
_SAMPLE_S = 1.0
# within a second: a run that grows like this is looked at before it is at its limit
_GROWTH_BYTES = 400 << 20
_CORES = os.cpu_count() or 1
_MIB = 1 << 20
_WRITES_ON_BYTES = 1 << 20  # written within a second below the floor of free space
_DISK_GRACE_S = 2.0


class Breach(NamedTuple):
    """A limit that was passed. `grace_s` is between TERM and KILL."""

    cause: Cause
    grace_s: float


class LimitMonitor:
    """`look()` when it is time (`look_at`, monotonic); None until a limit is passed."""

    def __init__(
        self,
        limits: Limits,
        folder_fd: int,
        *,
        grace_s: float,
        has_own_user: bool = False,
        now: float,
    ) -> None:
        self._limits = limits
        self._folder_fd = folder_fd
        self._grace_s = grace_s
        self._samples = Samples(folder_fd, interval_s=_SAMPLE_S)
        self._sample_at = now + _LOOK_S  # the first one early, so that a short run has some
        self._written: int | None = (
            None  # bytes, at the last sample, while the disk was below its floor
        )
        self._has_own_user = has_own_user
        self._resident = 0
        self._cpu_s = 0.0
        self.meter = Meter()
        self.look_at = now + _LOOK_S

    def look(self, now: float, output_bytes: int) -> Breach | None:
        """Measure what is due now, cheapest first; the limit that was passed, if any."""
        pids = self.meter.pids()
        resident = self.meter.resident(pids)
        breach = (
            self._too_many(pids)
            or self._too_much_output(output_bytes)
            or self._too_much_memory(resident)
        )
        if self._limits.cpu_s and not breach:
            self._cpu_s = self.meter.cpu_s(pids)
            breach = self._too_much_cpu(self._cpu_s)
        if now >= self._sample_at and not breach:
            self._sample_at = now + _SAMPLE_S
            self._samples.add(self.meter.usage(resident), output_bytes, now)
            breach = self._disk_too_full(pids)
        self.look_at = now + self._rest()
        return breach

    def _rest(self) -> float:
        """Seconds to the next look."""
        longest = _SAMPLE_S if self._has_own_user or not self._limits.processes else _CROWDED_LOOK_S
        room = (
            self._limits.memory_bytes - self._resident
            if self._limits.memory_bytes
            else _GROWTH_BYTES
        )
        if self._limits.cpu_s:
            longest = min(longest, (self._limits.cpu_s - self._cpu_s) / _CORES)
        return max(_LOOK_S, min(longest, room / _GROWTH_BYTES))

    def _too_many(self, pids: list[int]) -> Breach | None:
        most = self._limits.processes
        if not most or len(pids) <= most:
            return None
        return _breach("processes", f"Had {len(pids)} processes, limit {most}")

    def _too_much_output(self, output_bytes: int) -> Breach | None:
        most = self._limits.output_kill_bytes
        if not most or output_bytes <= most:
            return None
        return _breach(
            "output", f"Wrote {output_bytes // _MIB} MB of output, limit {most // _MIB} MB"
        )

    def _too_much_memory(self, resident: dict[int, int]) -> Breach | None:
        most = self._limits.memory_bytes
        # What is resident is never less than its share: most of the time this cheap look will do.
        self._resident = sum(resident.values())
        if not most or self._resident <= most:
            return None
        used, is_exact = self.meter.memory(resident)
        if used <= most:
            return None
        how = "" if is_exact else " (shared pages counted for each process)"
        return _breach(
            "memory", f"Used {used / _MIB:.0f} MB of memory, limit {most // _MIB} MB{how}"
        )

    def _too_much_cpu(self, cpu_s: float) -> Breach | None:
        if cpu_s <= self._limits.cpu_s:
            return None
        sentence = f"Used {cpu_s:.1f} s of CPU time, limit {self._limits.cpu_s:g} s"
        return _breach("cpu", sentence, grace_s=self._grace_s)

    def _disk_too_full(self, pids: list[int]) -> Breach | None:
        """Below the floor whoever writes on is stopped; whoever only calculates is not."""
        if not self._limits.min_free_bytes:
            return None
        disk = os.fstatvfs(self._folder_fd)
        free = disk.f_bavail * disk.f_frsize
        if free >= self._limits.min_free_bytes:
            self._written = None
            return None
        before, self._written = self._written, sum(map(procfs.written_bytes, pids))
        if before is None or self._written - before < _WRITES_ON_BYTES:
            return None
        sentence = f"Wrote on while only {free // _MIB} MB were free on the disk of the data folder"
        return _breach("disk", sentence, grace_s=min(_DISK_GRACE_S, self._grace_s))


def _breach(reason: str, sentence: str, *, grace_s: float = 0.0) -> Breach:
    return Breach(Cause("failed", reason, sentence), grace_s)
