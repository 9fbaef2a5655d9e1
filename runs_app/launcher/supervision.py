"""Watching over a script and its whole process tree until nothing of it is left."""

import os
import signal
import time
from collections.abc import Callable

from runs_app.launcher import forking, tree
from runs_app.launcher.capture import Capture
from runs_app.launcher.spec import Spec
from runs_app.launcher.verdict import Cause

CANCEL = signal.SIGTERM
SHUTDOWN = signal.SIGUSR1
_LINGER_S = 0.2  # what outlives the main process may end by itself: multiprocessing's resource tracker does
_LEFTOVER_GRACE_S = 2.0
_KILL_AGAIN_S = 0.05
_GIVE_UP_S = 5.0  # a process in uninterruptible sleep dies when its disk answers, which may be never


class Supervision:
    """From the start of the script's program to the end of its tree. One deadline at a time, and what to do at it."""

    def __init__(
        self, spec: Spec, script_pid: int, capture: Capture, *, wakeup_fd: int, shutdown_grace_s: float
    ) -> None:
        self._spec = spec
        self.script_pid = script_pid
        self._capture = capture
        self._wakeup_fd = wakeup_fd
        self._shutdown_grace_s = shutdown_grace_s
        self._tree_is_empty = False
        self._is_shutting_down = False
        self._give_up_at: float | None = None
        self._deadline: float | None = None
        self._act: Callable[[], None] = self._time_out
        if spec.timeout_s:
            self._deadline = time.monotonic() + spec.timeout_s
        self.cause: Cause | None = None
        self.wait_status: int | None = None  # of the main process, once it has ended
        self.leftovers = 0
        self.message = ""

    def watch(self) -> None:
        """Return when the whole tree is gone and its output is copied."""
        self._reap()
        while not self._tree_is_empty:
            self._step()
        self._capture.drain()

    def abort(self, why: str) -> None:
        """Kill the tree at once, with as little machinery as possible: something is wrong with the runner itself."""
        self.message = why
        give_up_at = time.monotonic() + _GIVE_UP_S
        while not self._tree_is_empty and time.monotonic() < give_up_at:
            tree.kill(self._living)
            time.sleep(_KILL_AGAIN_S)
            self._reap()

    def _step(self) -> None:
        wait_s = None if self._deadline is None else max(0.0, self._deadline - time.monotonic())
        if self._capture.step(wait_s):
            self._heed(os.read(self._wakeup_fd, 4096))
        if self._deadline is not None and time.monotonic() >= self._deadline:
            self._act()

    def _heed(self, signals: bytes) -> None:
        # Reaped first: a script that has ended by itself is not stopped any more.
        self._reap()
        if CANCEL in signals:
            self._stop(Cause("cancelled", "user", "Cancelled"), self._spec.grace_s)
        if SHUTDOWN in signals:
            self._shut_down()

    def _reap(self) -> None:
        self._tree_is_empty = not forking.reap(self._child_has_ended)

    def _child_has_ended(self, pid: int, wait_status: int) -> None:
        if pid == self.script_pid:
            self.wait_status = wait_status
            if self.cause is None:
                self._at(_LINGER_S, self._end_leftovers)

    def _time_out(self) -> None:
        limit = f"{self._spec.timeout_s:g} s"
        self._stop(Cause("timed_out", "time", f"Stopped after {limit} (time limit)"), self._spec.grace_s)

    def _shut_down(self) -> None:
        """Asked once: like a cancel with the launcher's grace; asked again: there is no time left at all."""
        if self._is_shutting_down:
            self._kill()
        else:
            self._is_shutting_down = True
            self._stop(Cause("cancelled", "shutdown", "Stopped because Tempo shuts down"), self._shutdown_grace_s)

    def _stop(self, cause: Cause, grace_s: float) -> None:
        """The first cause wins; a second one may only make it quicker. What outlived the main process gets no grace."""
        if self.wait_status is not None:
            self._kill()
        elif self.cause is None:
            self.cause = cause
            self._capture.say(cause.sentence)
            tree.send(self._living(), signal.SIGTERM)
            self._at(grace_s, self._kill)
        elif self._deadline is not None:
            self._at(min(grace_s, self._deadline - time.monotonic()), self._act)

    def _end_leftovers(self) -> None:
        living = self._living()
        self._count_leftovers(living)
        tree.send(living, signal.SIGTERM)
        self._at(_LEFTOVER_GRACE_S, self._kill)

    def _kill(self) -> None:
        if self._give_up_at is None:
            self._give_up_at = time.monotonic() + _GIVE_UP_S
            if self.wait_status is None:
                self._capture.say("Still running after the time to stop by itself: killed")
        killed = tree.kill(self._living)
        self._count_leftovers(killed - {self.script_pid})
        self._at(_KILL_AGAIN_S, self._kill)
        if time.monotonic() > self._give_up_at and killed:
            self.message = f"{len(killed)} of its processes could not be killed"
            self._tree_is_empty = True  # as far as we can tell; the launcher goes on trying

    def _count_leftovers(self, pids: set[int]) -> None:
        """Processes that were there when the main one had ended; counted once, and told."""
        if self.wait_status is not None and not self.leftovers and pids:
            self.leftovers = len(pids)
            self._capture.say(f"The script left {len(pids)} of its processes running: ended")

    def _living(self) -> set[int]:
        return tree.descendants(os.getpid())

    def _at(self, wait_s: float, act: Callable[[], None]) -> None:
        self._deadline = time.monotonic() + wait_s
        self._act = act
