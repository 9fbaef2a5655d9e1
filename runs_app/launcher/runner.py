"""The runner: supervises one run from claim to verdict, detached from everything, and outlives the launcher."""

import os
import signal
import time
from typing import NamedTuple

from runs_app.launcher import bells, forking, locks, prctl, script, spec, verdict
from runs_app.launcher.capture import Capture
from runs_app.launcher.records import Log
from runs_app.launcher.supervision import CANCEL, SHUTDOWN, Supervision

CLAIM = "claim"
FOLDED = "run.json"  # the folder of a settled run holds it before its claim goes


class Order(NamedTuple):
    """What a runner gets from the launcher that forks it."""

    folder_fd: int  # all its work goes through this descriptor
    folder: str  # absolute, for the script's environment
    tower_fd: int  # `<data>/run`, see bells
    shutdown_grace_s: float


def main(order: Order) -> int:
    """Run it; 0 also when somebody else runs it already. Raises OSError if no verdict can be written.

    1 when processes of the script could not be killed: they become the launcher's.
    """
    _detach(order)
    ringer = bells.Bells(order.tower_fd)
    try:
        if not _take(order.folder_fd):
            return 0
        facts = _run(order, ringer)
    except OSError as error:
        facts = verdict.could_not_start(f"The run's folder cannot be used: {error.strerror}")
    verdict.write_exit(order.folder_fd, facts)
    ringer.ring(bells.OUTPUT)
    ringer.ring(bells.STATE)
    return int(forking.reap(lambda _pid, _status: None))


def _detach(order: Order) -> None:
    """Leave the launcher's session, files and signals. Signals stay blocked."""
    forking.forget_handlers()
    os.setsid()
    forking.silence_standard_streams()
    forking.keep_only({0, 1, 2, order.folder_fd, order.tower_fd})
    prctl.become_subreaper()


def _take(folder_fd: int) -> bool:
    """Lock, then claim: whether this runner is the one. The lock's descriptor stays open to the end of the process.

    A folder that was folded has no claim any more, but its run is final: an order that comes late finds `run.json`.
    """
    if locks.take(folder_fd) is None:
        return False
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        os.close(os.open(CLAIM, flags, 0o600, dir_fd=folder_fd))
    except FileExistsError:
        return False
    return not os.access(FOLDED, os.F_OK, dir_fd=folder_fd)  # behind the claim: looked at before, a fold could slip in


def _run(order: Order, ringer: bells.Bells) -> verdict.Facts:
    """Start the script and see it through. Raises OSError while there is nothing to write to yet."""
    verdict.reserve(order.folder_fd)
    wakeup_fd = _listen()
    capture = Capture(Log(order.folder_fd), ringer, wakeup_fd)
    started_at, started = time.time(), time.monotonic()
    try:
        supervision = _start(order, capture, wakeup_fd)
    except (spec.SpecError, script.StartError, OSError) as error:
        sentence = f"Could not start: {error}"
        capture.say(sentence)
        return verdict.could_not_start(sentence, output_lines=capture.log.records, log_bytes=capture.log.size)
    _announce(order, supervision, capture, ringer, started_at)
    _watch(supervision)
    return _facts(supervision, capture, started_at, time.monotonic() - started)


def _start(order: Order, capture: Capture, wakeup_fd: int) -> Supervision:
    details = spec.read(order.folder_fd)
    pid = script.start(details, capture.open_pipes(), run_folder=order.folder)
    return Supervision(details, pid, capture, wakeup_fd=wakeup_fd, shutdown_grace_s=order.shutdown_grace_s)


def _announce(order: Order, supervision: Supervision, capture: Capture, ringer: bells.Bells, started_at: float) -> None:
    try:
        verdict.write_state(order.folder_fd, script_pid=supervision.script_pid, started_at=started_at)
    except OSError as error:
        # The script runs: better a run that no later launcher finds again than none.
        capture.say(f"state.json could not be written: {error.strerror}")
    ringer.ring(bells.STATE)


def _watch(supervision: Supervision) -> None:
    try:
        supervision.watch()
    except Exception as error:
        # The boundary: whatever is wrong in here, the tree ends and the run gets its verdict.
        supervision.abort(f"Tempo's runner failed: {error!r}")


def _facts(supervision: Supervision, capture: Capture, started_at: float, duration_s: float) -> verdict.Facts:
    log = capture.log
    loss = f"Part of the output was lost: {log.loss}" if log.loss else ""
    return verdict.Facts(
        cause=supervision.cause,
        wait_status=supervision.wait_status,
        message="; ".join(filter(None, (supervision.message, loss))),
        started_at=started_at,
        duration_s=duration_s,
        output_bytes=capture.byte_count,
        output_lines=log.records,
        log_bytes=log.size,
        leftovers_killed=supervision.leftovers,
    )


def _listen() -> int:
    """Have signals announce themselves on a descriptor, and let in those that came meanwhile."""
    read_fd, write_fd = os.pipe()
    os.set_blocking(read_fd, False)
    os.set_blocking(write_fd, False)
    signal.set_wakeup_fd(write_fd, warn_on_full_buffer=False)
    for signum in (CANCEL, SHUTDOWN, signal.SIGCHLD):
        signal.signal(signum, _noted)
    for signum in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(signum, signal.SIG_IGN)
    forking.let_signals_in()
    return read_fd


def _noted(_signum: int, _frame: object) -> None:
    """Signals act through the wakeup descriptor; a Python handler has to stand for it to be written."""
