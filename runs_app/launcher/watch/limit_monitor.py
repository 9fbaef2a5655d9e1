"""Keeping a run to the limits: looks at the tree, a sample a second for the chart."""

# A look is dear, so it is put off while there is much room: twenty quiet runs that are looked at four times a second
# took 2.9 % of a core, once a second 0.8 %. In between, a glance at the memory of the known processes tells whether to
# look. Such glances at twenty runs are another 0.9 %, so only a run that is awake gets them.

import os
from typing import NamedTuple

from runs_app.launcher.spec import Limits
from runs_app.launcher.watch import procfs
from runs_app.launcher.watch.sampling import Meter, Samples
from runs_app.launcher.watch.verdict import Cause

_LOOK_S = 0.25
_CROWDED_LOOK_S = 0.5  # where the kernel does not count the processes of a script's user
_SAMPLE_S = 1.0
_FIRST_LOOK_S = 0.1
_GLANCE_S = 0.25
_SLEEPING_CPU_S = 0.01  # since the last sample
_GROWING_LOOK_S = 0.05
_GROWN_BYTES = 4 << 20  # since the last look: it grows
# Within a second: a run that grows like this is looked at before it is at its limit.
_GROWTH_BYTES = 400 << 20
_FASTEST_GROWTH_BYTES = 2 << 30  # so fast one thread fills memory
_CORES = os.cpu_count() or 1
_MIB = 1 << 20
_MAX_WRITTEN_BYTES = 1 << 20  # within a second below the floor of free space
_DISK_GRACE_S = 2.0


class Breach(NamedTuple):
    cause: Cause
    grace_s: float  # between TERM and KILL


class LimitMonitor:
    """Looks at the tree of a run; `look_at` says when `look()` is due, by the monotonic clock."""

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
        # Bytes at the last sample, while the disk was below its floor.
        self._written: int | None = None
        self._has_own_user = has_own_user
        self._pids: list[int] = []
        self._resident = 0
        self._is_growing = True
        self._cpu_s = 0.0
        self._sampled_cpu_s = 0.0
        self._is_sleeping = False
        self._whole_look_at = 0.0
        self.meter = Meter()
        self.look_at = now + _FIRST_LOOK_S

    def look(self, now: float, output_bytes: int) -> Breach | None:
        """Measure what is due now, cheapest first; return the limit that was passed, if any."""
        if now < self._whole_look_at and not self._has_grown():
            self._plan_next_look(now)
            return None
        self._pids = pids = self.meter.pids()
        resident = self.meter.resident(pids)
        breach = (
            self._check_processes(pids)
            or self._check_output(output_bytes)
            or self._check_memory(resident)
        )
        if self._limits.cpu_s and not breach:
            self._cpu_s = self.meter.cpu_s(pids)
            breach = self._check_cpu(self._cpu_s)
        if now >= self._sample_at and not breach:
            self._sample_at = now + _SAMPLE_S
            self._take_sample(resident, output_bytes, now)
            breach = self._check_disk(pids)
        self._whole_look_at = now + self._seconds_to_next_look(now)
        self._plan_next_look(now)
        return breach

    def _plan_next_look(self, now: float) -> None:
        self.look_at = self._whole_look_at
        if self._limits.memory_bytes and not self._is_sleeping:
            self.look_at = min(self.look_at, now + _GLANCE_S)

    def _take_sample(self, resident: dict[int, int], output_bytes: int, now: float) -> None:
        usage = self.meter.usage(resident)
        self._samples.add(usage, output_bytes, now)
        self._is_sleeping = usage.cpu_s - self._sampled_cpu_s < _SLEEPING_CPU_S
        self._sampled_cpu_s = usage.cpu_s

    def _has_grown(self) -> bool:
        resident = self.meter.resident(self._pids)
        return sum(resident.values()) > self._resident + _GROWN_BYTES

    def _seconds_to_next_look(self, now: float) -> float:
        limits = self._limits
        longest = self._sample_at - now
        if limits.processes and not self._has_own_user:
            longest = min(longest, _CROWDED_LOOK_S)
        if limits.cpu_s:
            longest = min(longest, (limits.cpu_s - self._cpu_s) / _CORES)
        room = limits.memory_bytes - self._resident
        if limits.memory_bytes and self._is_growing and room > 0:
            return max(_GROWING_LOOK_S, min(longest, room / _FASTEST_GROWTH_BYTES))
        if limits.memory_bytes:
            longest = min(longest, room / _GROWTH_BYTES)
        return max(_LOOK_S, longest)

    def _check_processes(self, pids: list[int]) -> Breach | None:
        limit = self._limits.processes
        if not limit or len(pids) <= limit:
            return None
        return _breach("processes", f"Had {len(pids)} processes, limit {limit}")

    def _check_output(self, output_bytes: int) -> Breach | None:
        limit = self._limits.output_kill_bytes
        if not limit or output_bytes <= limit:
            return None
        sentence = f"Wrote {output_bytes // _MIB} MB of output, limit {limit // _MIB} MB"
        return _breach("output", sentence)

    def _check_memory(self, resident: dict[int, int]) -> Breach | None:
        limit = self._limits.memory_bytes
        # Resident memory is never less than the exact one: most of the time this cheap look will do.
        before, self._resident = self._resident, sum(resident.values())
        self._is_growing = self._resident > before + _GROWN_BYTES
        if not limit or self._resident <= limit:
            return None
        used = self.meter.memory(resident)
        if used <= limit:
            return None
        # Without a figure: until it is killed it may use more, and the verdict tells the peak.
        return _breach("memory", f"Used more memory than its limit of {limit // _MIB} MB")

    def _check_cpu(self, cpu_s: float) -> Breach | None:
        if cpu_s <= self._limits.cpu_s:
            return None
        sentence = f"Used {cpu_s:.1f} s of CPU time, limit {self._limits.cpu_s:g} s"
        return _breach("cpu", sentence, grace_s=self._grace_s)

    def _check_disk(self, pids: list[int]) -> Breach | None:
        # Below the floor a script that goes on writing is stopped, one that only calculates is not.
        if not self._limits.min_free_bytes:
            return None
        disk = os.fstatvfs(self._folder_fd)
        free = disk.f_bavail * disk.f_frsize
        if free >= self._limits.min_free_bytes:
            self._written = None
            return None
        written_before = self._written
        self._written = sum(map(procfs.written_bytes, pids))
        if written_before is None or self._written - written_before < _MAX_WRITTEN_BYTES:
            return None
        sentence = f"Wrote on while only {free // _MIB} MB were free on the disk of the data folder"
        return _breach("disk", sentence, grace_s=min(_DISK_GRACE_S, self._grace_s))


def _breach(reason: str, sentence: str, *, grace_s: float = 0.0) -> Breach:
    return Breach(Cause("failed", reason, sentence), grace_s)
