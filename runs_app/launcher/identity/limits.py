"""What a script's process is denied or given before its program begins; applied by the process to itself.

The kernel's limits stand behind what the runner watches: they act at once, but know only one process, or count threads.
"""

import contextlib
import os
import resource

from runs_app.launcher.spec import Limits

_OOM_SCORE = 800  # of 1000: when memory runs out the kernel takes a script, not the server
_DATA_SHARE = 1.25  # of the memory limit: past it Python raises a MemoryError that can be read
_TASKS_A_PROCESS = 4  # RLIMIT_NPROC counts threads, of all runs of this user
_MAX_LIMIT = 2**62  # what setrlimit() takes


def apply(limits: Limits, *, has_own_user: bool) -> None:
    """Apply every limit, still as the user that Tempo is. Raises OSError if one that protects others cannot be had."""
    for what, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_DATA, int(limits.memory_bytes * _DATA_SHARE) or None),
        (resource.RLIMIT_FSIZE, limits.file_bytes or None),
        (resource.RLIMIT_NOFILE, limits.open_files or None),
        (
            resource.RLIMIT_NPROC,
            limits.processes * _TASKS_A_PROCESS or None if has_own_user else None,
        ),
    ):
        if most is not None:
            _limit(what, most)
    # Manners, not walls: a container may forbid these.
    with contextlib.suppress(OSError):
        os.nice(limits.nice)
    with contextlib.suppress(OSError):
        _volunteer_for_oom()


def _limit(what: int, most: int) -> None:
    """Never more than what is inherited: only root might raise that."""
    _soft, hard = resource.getrlimit(what)
    allowed = min(most, _MAX_LIMIT if hard == resource.RLIM_INFINITY else hard)
    resource.setrlimit(what, (allowed, allowed))


def _volunteer_for_oom() -> None:
    fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
    os.write(fd, b"%d" % _OOM_SCORE)
    os.close(fd)
