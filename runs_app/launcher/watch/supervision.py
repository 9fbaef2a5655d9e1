"""Watching over a script and its whole process tree until nothing of it is left."""

import os
import signal
import time
from collections.abc import Callable

from runs_app.launcher import forking
from runs_app.launcher.output.capture import Capture
from runs_app.launcher.signal_pipe import SignalPipe
from runs_app.launcher.spec import Spec
from runs_app.launcher.watch import procfs, tree
from runs_app.launcher.watch.limit_monitor import LimitMonitor
from runs_app.launcher.watch.verdict import Cause

CANCEL = signal.SIGTERM
SHUTDOWN = signal.SIGUSR1
STACK = signal.SIGRTMAX  # environments register faulthandler for it
_STACK_S = 0.1  # for printing the stack
_ABORT_S = 0.5  # for the same, of a script that is still there after its grace
_LINGER_S = (
    0.2  # what outlives the main process may end by itself: multiprocessing's resource tracker does
)
_LEFTOVER_GRACE_S = 2.0
_KILL_AGAIN_S = 0.05
_AT_ONCE = frozenset({"memory", "processes", "output"})  # who goes on harms others every moment
_TOO_LONG = frozenset({"time", "cpu"})  # where it stands is worth knowing
_GIVE_UP_S = (
    5.0  # a process in uninterruptible sleep dies when its disk answers, which may be never
)


class Supervision:
    """From the start of the script's program to the end of its tree. One deadline at a time, and what to do at it."""

    def __init__(
        self,
        spec: Spec,
        script_pid: int,
        capture: Capture,
        guard: LimitMonitor,
        *,
        signals: SignalPipe,
        shutdown_grace_s: float,
    ) -> None:
        self._spec = spec
        self.script_pid = script_pid
        self.capture = capture
        self.guard = guard
        self._signals = signals
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
        self.capture.drain()

    def abort(self, why: str) -> None:
        """Kill the tree at once, with as little machinery as possible: something is wrong with the runner itself."""
        self.message = why
        give_up_at = time.monotonic() + _GIVE_UP_S
        while not self._tree_is_empty and time.monotonic() < give_up_at:
            tree.kill(self._living)
            time.sleep(_KILL_AGAIN_S)
            self._reap()

    def _step(self) -> None:
        now = time.monotonic()
        due = min(self.guard.look_at, self._deadline or self.guard.look_at)
        if self.capture.step(max(0.0, due - now)):
            self._heed(self._signals.read())
        now = time.monotonic()
        if now >= self.guard.look_at and not self._tree_is_empty:
            self._look(now)
        if self._deadline is not None and now >= self._deadline:
            self._act()

    def _look(self, now: float) -> None:
        breach = self.guard.look(now, self.capture.byte_count)
        if breach and self.cause is None and self.wait_status is None:
            self._stop(breach.cause, breach.grace_s)

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
        self._stop(
            Cause("timed_out", "time", f"Stopped after {limit} (time limit)"), self._spec.grace_s
        )

    def _shut_down(self) -> None:
        """Asked once: like a cancel with the launcher's grace; asked again: there is no time left at all."""
        if self._is_shutting_down:
            self._kill()
        else:
            self._is_shutting_down = True
            self._stop(
                Cause("cancelled", "shutdown", "Stopped because Tempo shuts down"),
                self._shutdown_grace_s,
            )

    def _stop(self, cause: Cause, grace_s: float) -> None:
        """The first cause wins; a second one may only make it quicker. What outlived the main process gets no grace."""
        if self.wait_status is not None:
            self._kill()
        elif self.cause is None:
            self.cause = cause
            self.capture.say(cause.sentence)
            self._begin_to_stop(cause, grace_s)
        elif self._deadline is not None:
            self._at(min(grace_s, self._deadline - time.monotonic()), self._act)

    def _begin_to_stop(self, cause: Cause, grace_s: float) -> None:
        if cause.reason in _AT_ONCE:
            self._kill()
        elif cause.reason in _TOO_LONG and procfs.handles(self.script_pid, STACK):
            # The stack first: most scripts are gone at the TERM.
            tree.send([self.script_pid], STACK)
            self._at(_STACK_S, lambda: self._terminate(cause, grace_s))
        else:
            self._terminate(cause, grace_s)

    def _terminate(self, cause: Cause, grace_s: float) -> None:
        tree.send(self._living(), signal.SIGTERM)
        self._at(grace_s, self._abort_script if cause.reason in _TOO_LONG else self._kill)

    def _abort_script(self) -> None:
        """Still there: faulthandler prints on ABRT where it is, and then it ends."""
        if self.wait_status is None:
            tree.send([self.script_pid], signal.SIGABRT)
            self._at(_ABORT_S, self._kill)
        else:
            self._kill()

    def _end_leftovers(self) -> None:
        living = self._living()
        self._count_leftovers(living)
        tree.send(living, signal.SIGTERM)
        self._at(_LEFTOVER_GRACE_S, self._kill)

    def _kill(self) -> None:
        if self._give_up_at is None:
            self._give_up_at = time.monotonic() + _GIVE_UP_S
            if self.wait_status is None and not (self.cause and self.cause.reason in _AT_ONCE):
                self.capture.say("Still running after the time to stop by itself: killed")
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
            self.capture.say(f"The script left {len(pids)} of its processes running: ended")

    def _living(self) -> set[int]:
        return tree.descendants(os.getpid())

    def _at(self, wait_s: float, act: Callable[[], None]) -> None:
        self._deadline = time.monotonic() + wait_s
        self._act = act
