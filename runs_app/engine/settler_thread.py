"""The thread of the settler: runs are reconciled at every bell, and duties done in passes."""

import contextlib
import logging
import os
import select
import socket
import threading
import time

from django.db import OperationalError
from django.utils import timezone

from runs_app import ballast, wakeup
from runs_app.engine import reconcile
from runs_app.engine.duties import SELF_CHECK, settler_duties
from runs_app.engine.self_check import SelfCheck
from runs_app.history import history

logger = logging.getLogger(__name__)

PASS_S = 2.0  # while things are going on
IDLE_PASS_S = 5.0
SETTLE_TOGETHER_S = 0.025
LOOK_AGAIN_S = reconcile.YOUNG.total_seconds()
PAUSE_AFTER_ERROR_S = 1.0


class SettlerThread:
    _bell: socket.socket  # of `run`

    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping
        self._woken, self._wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._next_pass_at = 0.0
        self._look_again_at: float | None = None
        self.self_check = SelfCheck()
        self.duties = settler_duties(self.self_check)
        self.last_pass_at: float | None = None  # of time.monotonic()

    def wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake, b"x")

    def run(self) -> None:
        self._bell = wakeup.listen(wakeup.STATE)
        try:
            while not self._stopping.is_set():
                # The bell is kept through errors: on a read-only disk no other could be hung.
                try:
                    self._step()
                except* Exception as failures:
                    for error in failures.exceptions:
                        log_failure("settler", error)
                        ballast.give_up_if_full(error)
                    self.duties.hurry(SELF_CHECK)
                    self._next_pass_at = 0.0
                    self._stopping.wait(PAUSE_AFTER_ERROR_S)
            reconcile.reconcile_all(now=timezone.now())
            history.mark_archived(now=timezone.now())
        finally:
            self._bell.close()

    def _step(self) -> None:
        # Wait for a bell or for the next pass, and do what it asks for.
        next_at = self._next_pass_at
        if self._look_again_at is not None:
            next_at = min(next_at, self._look_again_at)
        wait_s = max(0.0, next_at - time.monotonic())
        rung, _, _ = select.select([self._bell.fileno(), self._woken], [], [], wait_s)
        if self._woken in rung:
            os.read(self._woken, 4096)
            self._next_pass_at = 0.0
        if self._bell.fileno() in rung:
            # Starts go before book-keeping: rings that come close together are answered together, and a run of a few
            # milliseconds is settled once, at its end.
            self._stopping.wait(SETTLE_TOGETHER_S)
            wakeup.drain(self._bell)
            self._reconcile()
        elif self._look_again_at is not None and time.monotonic() >= self._look_again_at:
            self._reconcile()
        if time.monotonic() >= self._next_pass_at:
            self._pass()

    def _pass(self) -> None:
        self.self_check.heal_folders()
        self._hang_again()
        is_active = self.duties.do_due(now=timezone.now())
        self.last_pass_at = time.monotonic()
        pause_s = IDLE_PASS_S
        if is_active:
            pause_s = PASS_S
        self._next_pass_at = time.monotonic() + pause_s

    def _hang_again(self) -> None:
        hung = wakeup.hung(self._bell, wakeup.STATE)
        if hung is not self._bell:
            self._bell.close()
            self._bell = hung

    def _reconcile(self) -> None:
        now = timezone.now()
        self._look_again_at = None
        if reconcile.reconcile_all(now=now):
            self._look_again_at = time.monotonic() + LOOK_AGAIN_S
        reconcile.follow_up(now=now)


def log_failure(name: str, error: Exception) -> None:
    # A disk or a database may be away for days: that takes a line each time, and no trace.
    trace: Exception | None = error
    if isinstance(error, OperationalError | OSError):
        trace = None
    logger.error("%s failed, starting it again: %s", name, error, exc_info=trace)
