"""Watching over a script and its whole process tree until no process is left."""

import os
import resource
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
# Processes that outlive the main one may end by themselves: multiprocessing's resource tracker does.
_LINGER_S = 0.2
# A run that ends sooner is told of by its verdict alone.
_RECORD_AFTER_S = 0.05
_LEFTOVER_GRACE_S = 2.0
_KILL_AGAIN_S = 0.05
_KILLED_AT_ONCE = frozenset({"memory", "processes", "output"})  # going on harms others every moment
_TOO_LONG = frozenset({"time", "cpu"})  # the place where the script hangs is worth knowing
# A process in uninterruptible sleep dies when its disk answers, which may be never.
_GIVE_UP_S = 5.0


class Supervision:
    """A run from the start of the script's program to the end of its tree; there is one deadline at a time."""

    def __init__(
        self,
        spec: Spec,
        script_pid: int,
        capture: Capture,
        monitor: LimitMonitor,
        *,
        record: Callable[["Supervision"], None],
        signals: SignalPipe,
        shutdown_grace_s: float,
    ) -> None:
        self._spec = spec
        self.script_pid = script_pid
        self.capture = capture
        self.monitor = monitor
        self._record = record  # writes down which processes live
        self._record_at: float | None = time.monotonic() + _RECORD_AFTER_S
        self._signals = signals
        self._shutdown_grace_s = shutdown_grace_s
        self._tree_is_empty = False
        self._is_shutting_down = False
        self._give_up_at: float | None = None
        self._time_is_up_at = time.monotonic() + spec.timeout_s if spec.timeout_s else None
        self._deadline = self._time_is_up_at
        self._at_deadline: Callable[[], None] = self._time_out
        self._late_cause: Cause | None = None  # to stop, when the program had ended already
        self.cause: Cause | None = None
        self.wait_status: int | None = None  # of the main process, once it has ended
        self.leftovers = 0
        self.message = ""

    def watch(self) -> None:
        self._reap()
        while not self._tree_is_empty:
            self._step()
        self.capture.drain()

    def may_go_on(self) -> bool:
        """Whether a further program may start: the last one succeeded, and nobody wants the run to stop."""
        self.cause = self.cause or self._late_cause
        return self.cause is None and self.wait_status == 0 and not self.message

    def go_on(self, script_pid: int) -> None:
        """Take over a further program, which has begun; `watch()` comes next."""
        self.script_pid = script_pid
        self.wait_status = None
        self._tree_is_empty = False
        self._give_up_at = None
        self._record_at = time.monotonic() + _RECORD_AFTER_S
        self._deadline = self._time_is_up_at
        self._at_deadline = self._time_out

    def abort(self, why: str) -> None:
        """Kill the tree at once, with as little code as possible, because the runner itself has failed."""
        self.message = why
        give_up_at = time.monotonic() + _GIVE_UP_S
        while not self._tree_is_empty and time.monotonic() < give_up_at:
            tree.kill(self._living)
            time.sleep(_KILL_AGAIN_S)
            self._reap()

    def _step(self) -> None:
        now = time.monotonic()
        moments = (self.monitor.look_at, self._deadline, self._record_at)
        due = min(moment for moment in moments if moment is not None)
        if self.capture.step(max(0.0, due - now)):
            self._handle_signals(self._signals.read())
        now = time.monotonic()
        if self._record_at is not None and now >= self._record_at and not self._tree_is_empty:
            self._record_at = None
            self._record(self)
        if now >= self.monitor.look_at and not self._tree_is_empty:
            self._check_limits(now)
        if self._deadline is not None and now >= self._deadline:
            self._at_deadline()

    def _check_limits(self, now: float) -> None:
        breach = self.monitor.look(now, self.capture.byte_count)
        if breach and self.cause is None and self.wait_status is None:
            self._stop(breach.cause, breach.grace_s)

    def _handle_signals(self, signals: bytes) -> None:
        # Reaped first: a script that has ended by itself is not stopped any more.
        self._reap()
        if CANCEL in signals:
            self._stop(Cause("cancelled", "user", "Cancelled"), self._spec.grace_s)
        if SHUTDOWN in signals:
            self._shut_down()

    def _reap(self) -> None:
        self._tree_is_empty = not forking.reap(self._child_has_ended)

    def _child_has_ended(self, pid: int, wait_status: int, usage: resource.struct_rusage) -> None:
        self.monitor.meter.note_end(usage)
        if pid == self.script_pid:
            self.wait_status = wait_status
            if self.cause is None:
                self._plan(_LINGER_S, self._end_leftovers)

    def _time_out(self) -> None:
        sentence = f"Stopped after {self._spec.timeout_s:g} s (time limit)"
        self._stop(Cause("timed_out", "time", sentence), self._spec.grace_s)

    def _shut_down(self) -> None:
        # Asked once, it is a cancel with the launcher's grace; asked again, there is no time left at all.
        if self._is_shutting_down:
            self._kill()
            return
        self._is_shutting_down = True
        cause = Cause("cancelled", "shutdown", "Stopped because Tempo shuts down")
        self._stop(cause, self._shutdown_grace_s)

    def _stop(self, cause: Cause, grace_s: float) -> None:
        # The first cause wins; a second one can only bring the end nearer. Leftovers of a script get no grace.
        if self.wait_status is not None:
            self._late_cause = cause
            self._kill()
        elif self.cause is None:
            self.cause = cause
            self.capture.say(cause.sentence)
            self._begin_to_stop(cause, grace_s)
        elif self._deadline is not None:
            remaining_s = self._deadline - time.monotonic()
            self._plan(min(grace_s, remaining_s), self._at_deadline)

    def _begin_to_stop(self, cause: Cause, grace_s: float) -> None:
        if cause.reason in _KILLED_AT_ONCE:
            self._kill()
        elif cause.reason in _TOO_LONG and procfs.handles(self.script_pid, STACK):
            # The stack first: most scripts are gone at the TERM.
            tree.send([self.script_pid], STACK)
            self._plan(_STACK_S, lambda: self._terminate(cause, grace_s))
        else:
            self._terminate(cause, grace_s)

    def _terminate(self, cause: Cause, grace_s: float) -> None:
        tree.send(self._living(), signal.SIGTERM)
        if cause.reason in _TOO_LONG:
            self._plan(grace_s, self._abort_script)
        else:
            self._plan(grace_s, self._kill)

    def _abort_script(self) -> None:
        # On ABRT faulthandler prints where the script hangs, and then the script ends.
        if self.wait_status is None:
            tree.send([self.script_pid], signal.SIGABRT)
            self._plan(_ABORT_S, self._kill)
        else:
            self._kill()

    def _end_leftovers(self) -> None:
        living = self._living()
        self._count_leftovers(living)
        tree.send(living, signal.SIGTERM)
        self._plan(_LEFTOVER_GRACE_S, self._kill)

    def _kill(self) -> None:
        if self._give_up_at is None:
            self._give_up_at = time.monotonic() + _GIVE_UP_S
            reason = self.cause.reason if self.cause else ""
            if self.wait_status is None and reason not in _KILLED_AT_ONCE:
                self.capture.say("Still running after the time to stop by itself: killed")
        killed = tree.kill(self._living)
        self._count_leftovers(killed - {self.script_pid})
        self._plan(_KILL_AGAIN_S, self._kill)
        if time.monotonic() > self._give_up_at and killed:
            self.message = f"{len(killed)} of its processes could not be killed"
            self._tree_is_empty = True  # as far as we can tell; the launcher goes on trying

    def _count_leftovers(self, pids: set[int]) -> None:
        # Counted once, when the main process has ended.
        if self.wait_status is not None and not self.leftovers and pids:
            self.leftovers = len(pids)
            self.capture.say(f"The script left {len(pids)} of its processes running: ended")

    def _living(self) -> set[int]:
        return tree.descendants(os.getpid())

    def _plan(self, wait_s: float, act: Callable[[], None]) -> None:
        self._deadline = time.monotonic() + wait_s
        self._at_deadline = act
