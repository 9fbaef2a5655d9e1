"""What a script's process is denied or given before its program begins; applied by the process to itself."""

import contextlib
import os
import resource

from runs_app.launcher import prctl

_NICE = 5
_OOM_SCORE = 800  # of 1000: when memory runs out the kernel takes a script, not the server
_UMASK = 0o022


def apply() -> None:
    """Apply every limit. Raises OSError if one that protects others cannot be had."""
    prctl.forbid_new_privileges()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(_UMASK)
    # Manners, not walls: a container may forbid these.
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    with contextlib.suppress(OSError):
        _volunteer_for_oom()


def _volunteer_for_oom() -> None:
    fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
    os.write(fd, b"%d" % _OOM_SCORE)
    os.close(fd)
