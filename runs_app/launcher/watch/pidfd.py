"""Descriptors of processes, which never mean another one; Linux has them from 5.3 on, and a sandbox may refuse them."""

import os
import signal


def open_process(pid: int) -> int | None:
    """Return a descriptor of `pid`; None for a process that is gone, and where there are no such descriptors."""
    if not hasattr(os, "pidfd_open"):  # a Python that was built for an older system
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def send(pid_fd: int, signum: signal.Signals) -> bool:
    """Send `signum`; return whether that is settled, be it that the process is gone, and needs no other way."""
    try:
        signal.pidfd_send_signal(pid_fd, signum)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return True
