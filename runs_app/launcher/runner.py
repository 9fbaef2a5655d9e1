"""The runner: supervises a run from claim to verdict, detached from the launcher, so as to outlive the launcher."""

import contextlib
import os
import signal
import socket
import time
from typing import NamedTuple

from runs_app.launcher import bells, files, folders, forking, locks, removal, script_start, spec
from runs_app.launcher.identity import giving, isolation, names, prctl
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
_PATH_BYTES = 4096
_REFUSALS = (spec.SpecError, script_start.StartError, isolation.IsolationError)


class Order(NamedTuple):
    folder_fd: int  # all its work goes through this descriptor
    folder: str  # absolute, for the script's environment
    ringer: bells.Bells
    shutdown_grace_s: float
    support: IsolationSupport
    secrets: Secrets  # for the script's environment; here and there only in memory


class StartTime(NamedTuple):
    """The begin of a run, in seconds since the epoch and by the monotonic clock."""

    at: float
    monotonic: float


def main(order: Order, channel: socket.socket | None = None) -> int:
    """Carry out the run, and those that come over the channel until the launcher closes it; return 1 at once if
    processes of a script live on, else 0 in the end. Raise OSError without a verdict.

    A second run finds all pages of memory copied that the first one had to copy: half of what a runner costs. Secrets
    neither come over the channel nor meet another run.
    """
    # Processes that could not be killed become the launcher's.
    _detach(order, channel)
    signals = SignalPipe(_HEEDED, ignored=_IGNORED)
    may_go_on = _carry_out(order, signals)
    while channel and may_go_on and not order.secrets:
        procfs.close_kept_files()
        # The run's lock among them: no file of a run stays open for the next one.
        forking.close_all_except({0, 1, 2, *order.ringer.fds, *signals.fds, channel.fileno()})
        following = _next_order(order, channel)
        if following is None:
            break
        order = following
        may_go_on = _carry_out(order, signals)
    return int(_reap())


def _next_order(order: Order, channel: socket.socket) -> Order | None:
    try:
        channel.send(b"over")
        path, fds, _flags, _address = socket.recv_fds(channel, _PATH_BYTES, 1)
    except OSError:
        return None
    if not fds:
        return None
    os.set_inheritable(fds[0], False)  # recv_fds() passes no flag on that would have it so
    return order._replace(folder_fd=fds[0], folder=os.fsdecode(path))


def _carry_out(order: Order, signals: SignalPipe) -> bool:
    # Returns whether another run may follow: no process of this one lives on, and nothing went wrong in here.
    ringer = order.ringer
    if not _claim(order.folder_fd):
        return True
    try:
        facts = _run(order, ringer, signals)
    except OSError as error:
        facts = verdict.could_not_start(f"The run's folder cannot be used: {error.strerror}")
    verdict.write_exit(order.folder_fd, facts)
    ringer.ring(bells.OUTPUT)
    ringer.ring(bells.STATE)
    # The verdict is announced; a disk that refuses now cannot take it back.
    with contextlib.suppress(OSError):
        verdict.secure_exit(order.folder_fd)
    _remove_tmp(order)
    return not facts.message and not _reap()


def _reap() -> bool:
    # Returns whether processes of the script live on.
    return forking.reap(lambda _pid, _status, _usage: None)


def _detach(order: Order, channel: socket.socket | None) -> None:
    # Leaves the launcher's session and files. Signals stay blocked until it has handlers of its own.
    os.setsid()
    forking.silence_standard_streams()
    kept = {0, 1, 2, order.folder_fd, *order.ringer.fds}
    forking.close_all_except(kept | {channel.fileno()} if channel else kept)
    prctl.become_subreaper()


def _claim(folder_fd: int) -> bool:
    # Raises OSError, and then nothing has begun. The lock's descriptor stays open to the end of the run.
    if locks.acquire(folder_fd) is None:
        return False
    try:
        os.close(files.create(CLAIM, dir_fd=folder_fd))
    except FileExistsError:
        return False
    # An archived folder has no claim any more, but its run is final. Looked for after the claim was made: the archive
    # could otherwise appear between the two.
    with contextlib.suppress(FileNotFoundError):
        os.stat(folders.ARCHIVE, dir_fd=folder_fd)
        return False
    try:
        verdict.reserve(folder_fd)
    except OSError:
        os.unlink(CLAIM, dir_fd=folder_fd)  # it may be begun once there is room
        raise
    return True


def _remove_tmp(order: Order) -> None:
    # Here and not only when the folder is archived: on a full disk that could wait for the space which this gives.
    with contextlib.suppress(OSError):
        removal.remove_tree("tmp", dir_fd=order.folder_fd)


def _run(order: Order, ringer: bells.Bells, signals: SignalPipe) -> verdict.ExitFacts:
    # Raises OSError while there is nothing to write to yet.
    try:
        details = spec.read(order.folder_fd)
        plan = _prepare(order, details)
    except (*_REFUSALS, OSError) as error:
        return _not_started(Log(order.folder_fd), ringer, error)
    return _start_and_watch(order, ringer, details, plan, signals)


def _start_and_watch(
    order: Order,
    ringer: bells.Bells,
    details: spec.Spec,
    plan: isolation.Plan,
    signals: SignalPipe,
) -> verdict.ExitFacts:
    log = Log(order.folder_fd, details.limits.output_bytes)
    capture = Capture(log, ringer, signals.fd, Mask(order.secrets.values()))
    started = StartTime(time.time(), time.monotonic())
    with_secrets = details._replace(env=details.env | order.secrets)
    try:
        pipes = capture.open_pipes()
        pid = script_start.start(with_secrets, pipes, run_folder=order.folder, plan=plan)
    except (*_REFUSALS, OSError) as error:
        return _not_started(log, ringer, error)._replace(isolation=plan.result)
    supervision = Supervision(
        details,
        pid,
        capture,
        _monitor(order, details, plan),
        record=lambda supervision: _record(order, supervision, ringer, plan, started),
        signals=signals,
        shutdown_grace_s=order.shutdown_grace_s,
    )
    facts = _see_through(order, details, supervision, plan, started)
    return explanation.explain(facts, details, capture.last_stderr)


def _prepare(order: Order, details: spec.Spec) -> isolation.Plan:
    # Raises IsolationError, OSError.
    plan = isolation.plan(details, order.support)
    if plan.naming.library:
        user = plan.user or order.support.web
        names.write(order.folder_fd, plan.naming, user, home=details.cwd)
    if os.geteuid() == 0 and plan.user and plan.gives_files:
        web = order.support.web
        data = os.path.normpath(os.path.join(order.folder, "../../.."))
        cwd = os.fsdecode(details.cwd)
        giving.give_run(order.folder_fd, plan.user)
        giving.give_files(data, cwd, plan.user, web, ours=order.support.pool)
    return plan


def _monitor(order: Order, details: spec.Spec, plan: isolation.Plan) -> LimitMonitor:
    return LimitMonitor(
        details.limits,
        order.folder_fd,
        grace_s=details.grace_s,
        has_own_user=plan.has_own_user,
        now=time.monotonic(),
    )


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
    details: spec.Spec,
    supervision: Supervision,
    plan: isolation.Plan,
    started: StartTime,
) -> verdict.ExitFacts:
    oom_kills = procfs.oom_kills()
    _watch(supervision)
    for step in details.then:
        if not supervision.may_go_on() or not _start_step(
            order, details.with_step(step), supervision
        ):
            break
        _watch(supervision)
    facts = _facts(supervision, started.at, time.monotonic() - started.monotonic)
    was_killed = facts.cause is None and verdict.killed_by(facts.wait_status) == "SIGKILL"
    return facts._replace(
        isolation=plan.result,
        was_out_of_memory=was_killed and procfs.oom_kills() > oom_kills,
    )


def _record(
    order: Order,
    supervision: Supervision,
    ringer: bells.Bells,
    plan: isolation.Plan,
    started: StartTime,
) -> None:
    try:
        verdict.write_state(
            order.folder_fd,
            script_pid=supervision.script_pid,
            started_at=started.at,
            isolation=plan.result,
        )
    except OSError as error:
        # The script runs: better a run that no later launcher finds again than none.
        supervision.capture.say(f"state.json could not be written: {error.strerror}")
    ringer.ring(bells.STATE)


def _start_step(order: Order, details: spec.Spec, supervision: Supervision) -> bool:
    try:
        plan = _prepare(order, details)
        pipes = supervision.capture.open_pipes()
        pid = script_start.start(details, pipes, run_folder=order.folder, plan=plan)
    except (*_REFUSALS, OSError) as error:
        sentence = f"Could not start: {_describe(error)}"
        supervision.capture.say(sentence)
        supervision.cause = verdict.Cause("failed", "could_not_start", sentence)
        return False
    supervision.go_on(pid)
    return True


def _watch(supervision: Supervision) -> None:
    try:
        supervision.watch()
    except Exception as error:
        # The boundary: whatever is wrong in here, the tree ends and the run gets its verdict.
        supervision.abort(supervision.capture.mask.text(f"Tempo's runner failed: {error!r}"))
        supervision.capture.log.finish()


def _facts(supervision: Supervision, started_at: float, duration_s: float) -> verdict.ExitFacts:
    capture, meter = supervision.capture, supervision.monitor.meter
    log = capture.log
    loss = f"Part of the output was lost: {log.loss}" if log.loss else ""
    return verdict.ExitFacts(
        cause=supervision.cause,
        wait_status=supervision.wait_status,
        message="; ".join(filter(None, (supervision.message, loss))),
        started_at=started_at,
        duration_s=duration_s,
        cpu_s=meter.ended_cpu_s(),
        # The peak of its largest process is known exactly; that of the tree was looked at four times a second.
        peak_bytes=max(meter.largest_bytes, meter.peak_bytes),
        is_peak_exact=meter.is_peak_exact,
        reserved_bytes=meter.most_reserved_bytes,
        processes=max(1, meter.max_processes),
        output_bytes=capture.byte_count,
        output_lines=log.records,
        output_dropped=log.dropped,
        log_bytes=log.size,
        leftovers_killed=supervision.leftovers,
    )
