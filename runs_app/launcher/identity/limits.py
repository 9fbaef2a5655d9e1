"""The kernel's limits of a script, applied by the script's process before the program begins."""

# They stand behind the limits that the runner watches: they act at once, but know a single process, or count threads.

import contextlib
import os
import resource

from runs_app.launcher.spec import Limits

_OOM_SCORE = 800  # of 1000: when memory runs out the kernel takes a script, not the server
_DATA_SHARE = 1.25  # of the memory limit: past it Python raises a MemoryError that can be read
_TASKS_A_PROCESS = 4  # RLIMIT_NPROC counts threads, of all runs of this user
_MAX_LIMIT = 2**62  # for setrlimit()


def apply(limits: Limits, *, has_own_user: bool) -> None:
    """Apply every limit, still as Tempo's own user. Raise OSError if a limit that protects others cannot be set."""
    _limit(resource.RLIMIT_CORE, 0)
    if limits.memory_bytes:
        _limit(resource.RLIMIT_DATA, int(limits.memory_bytes * _DATA_SHARE))
    if limits.file_bytes:
        _limit(resource.RLIMIT_FSIZE, limits.file_bytes)
    if limits.open_files:
        _limit(resource.RLIMIT_NOFILE, limits.open_files)
    if limits.processes and has_own_user:
        _limit(resource.RLIMIT_NPROC, limits.processes * _TASKS_A_PROCESS)
    # Manners, not walls: a container may forbid these.
    with contextlib.suppress(OSError):
        os.nice(limits.nice)
    with contextlib.suppress(OSError):
        _volunteer_for_oom()


def _limit(resource_number: int, limit: int) -> None:
    # Never more than the inherited limit: only root might raise that.
    _soft, hard = resource.getrlimit(resource_number)
    if hard == resource.RLIM_INFINITY:
        hard = _MAX_LIMIT
    allowed = min(limit, hard)
    resource.setrlimit(resource_number, (allowed, allowed))


def _volunteer_for_oom() -> None:
    fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
    os.write(fd, b"%d" % _OOM_SCORE)
    os.close(fd)
