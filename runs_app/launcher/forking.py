"""Forking this warm interpreter: a child carries out a single act and inherits no file or signal by accident."""

import contextlib
import os
import resource
import signal
from collections.abc import Callable, Iterable

from runs_app.launcher.identity import prctl

_REAPED_AT_ONCE = 100
_FILES_OF_A_START = 8
_RESETTABLE = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
# The signals that launcher and runners heed or ignore.
HANDLED = frozenset(
    {
        signal.SIGCHLD,
        signal.SIGHUP,
        signal.SIGINT,
        signal.SIGPIPE,
        signal.SIGTERM,
        signal.SIGUSR1,
        signal.SIGXFSZ,
    }
)
# With another action than the default: inherited, or Python's own.
_INHERITED = {signum for signum in _RESETTABLE if signal.getsignal(signum) != signal.SIG_DFL}
_TO_RESET = sorted(map(int, HANDLED | _INHERITED))
_HANDLED_SET, _NO_SIGNALS = prctl.signal_set(HANDLED), prctl.signal_set(())


def fork(act: Callable[[], int]) -> int:
    """Fork a child that calls `act` and exits with the result; return the pid. Raise OSError."""
    # In the child these signals stay blocked until `unblock_signals()`: a signal that arrives before the child has
    # handlers of its own would otherwise run the parent's, on the parent's wakeup pipe, or end the child.
    blocked_before = prctl.block_signals(_HANDLED_SET)
    try:
        pid = os.fork()
        if pid == 0:
            _run_child(act)
    finally:
        prctl.set_blocked_signals(blocked_before)
    return pid


def _run_child(act: Callable[[], int]) -> None:
    code = 1
    try:
        code = act()
    finally:
        os._exit(code)  # also on an exception: the parent's loop must never run twice


def why_no_runner() -> str:
    """Try what the start of a runner takes; return what is in the way, or "". Limits show in no other way."""
    with contextlib.ExitStack() as opened:
        try:
            for _ in range(_FILES_OF_A_START):
                fd = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
                opened.callback(os.close, fd)
        except OSError as error:
            return f"the launcher can open no more files: {error.strerror}"
    try:
        pid = fork(lambda: 0)
    except OSError as error:
        return f"the launcher can start no more processes: {error.strerror}"
    os.waitpid(pid, 0)
    return ""


def reap(report: Callable[[int, int, resource.struct_rusage], None]) -> bool:
    """Reap ended children, `report` pid, wait status and usage of each; return if any child is left, ended or not."""
    try:
        # A few at a time: a script that forks faster than we reap must not keep us from all other work.
        for _ in range(_REAPED_AT_ONCE):
            pid, wait_status, usage = os.wait4(-1, os.WNOHANG)
            if pid == 0:
                return True
            report(pid, wait_status, usage)
    except ChildProcessError:
        return False
    signal.raise_signal(signal.SIGCHLD)
    return True


def unblock_signals() -> None:
    prctl.set_blocked_signals(_NO_SIGNALS)


def reset_handlers() -> None:
    """Set every signal back to the default action; ignored signals too, which would survive an exec."""
    for signum in _TO_RESET:
        prctl.reset_handler(signum)


def close_all_except(descriptors: Iterable[int]) -> None:
    # Only open ones: where the system has no close_range(), closing up to the limit may be 10^9 calls.
    open_descriptors = {int(name) for name in os.listdir("/proc/self/fd")}
    for fd in open_descriptors.difference(descriptors):
        with contextlib.suppress(OSError):  # one of them was the listing's own
            os.close(fd)


def silence_standard_streams() -> None:
    null_fd = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null_fd, fd)
    os.close(null_fd)
