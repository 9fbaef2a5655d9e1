"""The kernel's limits of a script, as calls that the script's process makes before the program begins."""

# They stand behind the limits that the runner watches: they act at once, but know a single process, or count threads.

import os
import resource
from collections.abc import Callable, Iterator

from runs_app.launcher.spec import Limits

_OOM_SCORE = b"800"  # of 1000: when memory runs out the kernel takes a script, not the server
# RLIMIT_DATA counts pages that nobody has touched, first of all the stacks of threads: less than twice the memory limit
# refused 100 threads that wait. Libraries start a thread for each core, often two of them in one script.
_DATA_SHARE = 2
STACK_BYTES = (
    8 << 20
)  # of a thread; numpy's solver needs more than half of it, so it is not made smaller
_STACKS_A_CORE = 2
_CORES = os.cpu_count() or 1
# OpenBLAS starts a thread for each core and reserves 32 MB for each, in numpy and again in scipy and OpenCV: on 16
# cores `import numpy` reserved 668 MB, `import cv2` 2.8 GB.
_BLAS_THREAD_BYTES = 128 << 20
_TASKS_A_PROCESS = 4  # RLIMIT_NPROC counts threads, of all runs of this user
Call = tuple[Callable[..., object], tuple[object, ...]]
_MAX_LIMIT = 2**62  # for setrlimit()


def calls(limits: Limits, *, has_own_user: bool) -> Iterator[Call]:
    """Yield functions and arguments that apply every limit, still as Tempo's own user; they raise OSError."""
    yield _limit(resource.RLIMIT_CORE, 0)
    if limits.memory_bytes:
        yield _limit(resource.RLIMIT_DATA, data_bytes(limits))
    if limits.file_bytes:
        yield _limit(resource.RLIMIT_FSIZE, limits.file_bytes)
    if limits.open_files:
        yield _limit(resource.RLIMIT_NOFILE, limits.open_files)
    if limits.processes and has_own_user:
        yield _limit(resource.RLIMIT_NPROC, tasks(limits))


def manners(limits: Limits) -> Iterator[Call]:
    """Yield functions and arguments that make way for others: no walls, and a container may forbid them."""
    yield os.nice, (limits.nice,)
    yield _volunteer_for_oom, ()


def data_bytes(limits: Limits) -> int:
    """Return what one process may reserve: past it Python raises a MemoryError that can be read, at once."""
    return limits.memory_bytes * _DATA_SHARE + _CORES * _STACKS_A_CORE * STACK_BYTES


def tasks(limits: Limits) -> int:
    """Return how many processes and threads the user of a script may have."""
    return limits.processes * _TASKS_A_PROCESS


def variables(limits: Limits) -> dict[bytes, bytes]:
    """Return variables that keep libraries from reserving more than the limits allow; a script's own go before them."""
    threads = max(1, limits.memory_bytes // _BLAS_THREAD_BYTES)
    if not limits.memory_bytes or threads >= _CORES:
        return {}
    return {b"OPENBLAS_NUM_THREADS": b"%d" % threads}


def _limit(resource_number: int, limit: int) -> Call:
    # Never more than the limit that is inherited: only root might raise that.
    _soft, hard = resource.getrlimit(resource_number)
    if hard == resource.RLIM_INFINITY:
        hard = _MAX_LIMIT
    allowed = min(limit, hard)
    return resource.setrlimit, (resource_number, (allowed, allowed))


def _volunteer_for_oom() -> None:
    os.write(os.open("/proc/self/oom_score_adj", os.O_WRONLY), _OOM_SCORE)  # closed by the exec
