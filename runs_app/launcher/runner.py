"""The runner: supervises one run from claim to verdict, detached from everything, and outlives the launcher."""

import contextlib
import os
import signal
import time
from typing import NamedTuple

from runs_app.launcher import bells, folders, forking, locks, script_process, spec
from runs_app.launcher.identity import isolation, prctl, users
from runs_app.launcher.identity.isolation import IsolationSupport
from runs_app.launcher.output.capture import Capture
from runs_app.launcher.output.log_file import Log
from runs_app.launcher.output.masking import Mask, Secrets
from runs_app.launcher.signal_pipe import SignalPipe
from runs_app.launcher.watch import explanation, procfs, verdict
from runs_app.launcher.watch.limit_monitor import LimitMonitor
from runs_app.launcher.watch.supervision import CANCEL, SHUTDOWN, Supervision

CLAIM = "claim"
_HEEDED = (CANCEL, SHUTDOWN, signal.SIGCHLD)
_IGNORED = (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ)
_REFUSALS = (spec.SpecError, script_process.StartError, isolation.IsolationError)


class Order(NamedTuple):
    """What a runner gets from the launcher that forks it."""

    folder_fd: int  # all its work goes through this descriptor
    folder: str  # absolute, for the script's environment
    tower_fd: int  # `<data>/run`, see bells
    shutdown_grace_s: float
    powers: IsolationSupport
    secrets: Secrets  # for the script's environment; here and there only in memory


class StartTime(NamedTuple):
    """The begin of a run: as a date (seconds since the epoch), and by the clock that nobody sets."""

    at: float
    monotonic: float


def main(order: Order) -> int:
    """Run it; 0 also when somebody else runs it already. Raises OSError if no verdict can be written.

    1 when processes of the script could not be killed: they become the launcher's.
    """
    _detach(order)
    ringer = bells.Bells(order.tower_fd)
    try:
        if not _claim(order.folder_fd):
            return 0
        facts = _run(order, ringer)
    except OSError as error:
        facts = verdict.could_not_start(f"The run's folder cannot be used: {error.strerror}")
    verdict.write_exit(order.folder_fd, facts)
    ringer.ring(bells.OUTPUT)
    ringer.ring(bells.STATE)
    with contextlib.suppress(OSError):  # it is told; a disk that refuses now cannot take it back
        verdict.secure_exit(order.folder_fd)
    return int(forking.reap(lambda _pid, _status: None))


def _detach(order: Order) -> None:
    """Leave the launcher's session, files and signals. Signals stay blocked."""
    forking.reset_handlers()
    os.setsid()
    forking.silence_standard_streams()
    forking.close_all_except({0, 1, 2, order.folder_fd, order.tower_fd})
    prctl.become_subreaper()
    # What it makes is web's, and no link that web might plant leads further than web itself may go.
    prctl.use_files_as(*order.powers.web)


def _claim(folder_fd: int) -> bool:
    """Lock, then claim: whether this runner is the one. The lock's descriptor stays open to the end of the process.

    A folder that was folded has no claim any more, but its run is final: an order that comes late finds `run.json`.
    """
    if locks.acquire(folder_fd) is None:
        return False
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        os.close(os.open(CLAIM, flags, 0o600, dir_fd=folder_fd))
    except FileExistsError:
        return False
    # Looked for after the claim: the archive could otherwise appear between the two.
    return not os.access(folders.ARCHIVE, os.F_OK, dir_fd=folder_fd)


def _run(order: Order, ringer: bells.Bells) -> verdict.ExitFacts:
    """Start the script and see it through. Raises OSError while there is nothing to write to yet."""
    verdict.reserve(order.folder_fd)
    signals = SignalPipe(_HEEDED, ignored=_IGNORED)
    try:
        details = spec.read(order.folder_fd)
        plan = _prepare(order, details)
    except (*_REFUSALS, OSError) as error:
        return _not_started(Log(order.folder_fd), ringer, error)
    mask = Mask(order.secrets.values())
    capture = Capture(Log(order.folder_fd, details.limits.output_bytes), ringer, signals.fd, mask)
    moment = StartTime(time.time(), time.monotonic())
    try:
        complete = details._replace(env=details.env | order.secrets)
        pid = script_process.start(
            complete, capture.open_pipes(), run_folder=order.folder, plan=plan
        )
    except (*_REFUSALS, OSError) as error:
        return _not_started(capture.log, ringer, error)._replace(isolation=plan.obtained)
    guard = LimitMonitor(
        details.limits,
        order.folder_fd,
        grace_s=details.grace_s,
        has_own_user=plan.has_own_user,
        now=time.monotonic(),
    )
    supervision = Supervision(
        details, pid, capture, guard, signals=signals, shutdown_grace_s=order.shutdown_grace_s
    )
    facts = _see_through(order, supervision, ringer, plan, moment)
    return explanation.explain(facts, details, capture.last_stderr)


def _prepare(order: Order, details: spec.Spec) -> isolation.Plan:
    """Decide on the layers, and give the script what is to be its own. Raises IsolationError, OSError."""
    plan = isolation.plan(details, order.powers)
    if os.geteuid() == 0 and plan.user and plan.is_script:
        prctl.use_files_as(0, 0)
        users.give_run(order.folder_fd, plan.user)
        data = os.path.normpath(os.path.join(order.folder, "../../.."))
        users.give_files(
            data, os.fsdecode(details.cwd), plan.user, order.powers.web, ours=order.powers.pool
        )
        prctl.use_files_as(*order.powers.web)
    return plan


def _not_started(log: Log, ringer: bells.Bells, error: Exception) -> verdict.ExitFacts:
    sentence = f"Could not start: {_describe(error)}"
    log.say(sentence)
    ringer.ring(bells.OUTPUT)
    return verdict.could_not_start(sentence, output_lines=log.records, log_bytes=log.size)


def _describe(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{error.filename or 'the run folder'} cannot be used: {error.strerror}"
    return str(error)


def _see_through(
    order: Order,
    supervision: Supervision,
    ringer: bells.Bells,
    plan: isolation.Plan,
    began: StartTime,
) -> verdict.ExitFacts:
    oom_kills = procfs.oom_kills()
    try:
        verdict.write_state(
            order.folder_fd,
            script_pid=supervision.script_pid,
            started_at=began.at,
            isolation=plan.obtained,
        )
    except OSError as error:
        # The script runs: better a run that no later launcher finds again than none.
        supervision.capture.say(f"state.json could not be written: {error.strerror}")
    ringer.ring(bells.STATE)
    _watch(supervision)
    facts = _facts(supervision, began.at, time.monotonic() - began.monotonic)
    was_killed = facts.cause is None and verdict.killed_by(facts.wait_status) == "SIGKILL"
    return facts._replace(
        isolation=plan.obtained, was_out_of_memory=was_killed and procfs.oom_kills() > oom_kills
    )


def _watch(supervision: Supervision) -> None:
    try:
        supervision.watch()
    except Exception as error:
        # The boundary: whatever is wrong in here, the tree ends and the run gets its verdict.
        supervision.abort(supervision.capture.mask.text(f"Tempo's runner failed: {error!r}"))
        supervision.capture.log.finish()


def _facts(supervision: Supervision, started_at: float, duration_s: float) -> verdict.ExitFacts:
    capture, meter = supervision.capture, supervision.guard.meter
    log = capture.log
    loss = f"Part of the output was lost: {log.loss}" if log.loss else ""
    return verdict.ExitFacts(
        cause=supervision.cause,
        wait_status=supervision.wait_status,
        message="; ".join(filter(None, (supervision.message, loss))),
        started_at=started_at,
        duration_s=duration_s,
        peak_bytes=meter.peak_bytes,
        processes=max(1, meter.most_processes),
        output_bytes=capture.byte_count,
        output_lines=log.records,
        output_dropped=log.dropped,
        log_bytes=log.size,
        leftovers_killed=supervision.leftovers,
    )
