"""Signals as bytes on a pipe, so that a loop acts on signals in turn, and never inside a handler."""

import os
import signal
from collections.abc import Iterable

from runs_app.launcher import forking

_READ_BYTES = 4096


class SignalPipe:
    """The signals that have come, each as a byte; lets in the signals that were blocked since the fork."""

    def __init__(
        self, heeded: Iterable[signal.Signals], *, ignored: Iterable[signal.Signals] = ()
    ) -> None:
        self.fd, write_fd = self.fds = os.pipe()
        os.set_blocking(self.fd, False)
        os.set_blocking(write_fd, False)
        signal.set_wakeup_fd(write_fd, warn_on_full_buffer=False)
        for signum in heeded:
            signal.signal(signum, _do_nothing)
        for signum in ignored:
            signal.signal(signum, signal.SIG_IGN)
        forking.unblock_signals()

    def read(self) -> bytes:
        return os.read(self.fd, _READ_BYTES)


def _do_nothing(_signum: int, _frame: object) -> None:
    # Python writes to the pipe only for signals that have a handler of its own.
    return
