"""Reconciling: the row of a run is brought in line with the run's folder; repeatable, and never a heartbeat.

The order is claim, then lock, then exit.json, and an unclaimed folder is never probed: any other order calls living
runs lost.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.db import transaction

from runs_app import hot_statements, launcher_client, run_folder, runner_report
from runs_app.admission import admission
from runs_app.engine import unsettled
from runs_app.engine.unsettled import failing_alone
from runs_app.execution import environment_check, execution, finish
from runs_app.failures import ends
from runs_app.history import history
from runs_app.launcher import files as launcher_files
from runs_app.models import Run
from runs_app.output import live, log
from runs_app.programs import build, script
from runs_app.run_folder import CLAIM, EXIT, SPEC, STATE
from runs_app.states import Kind, Reason, Status
from runs_app.triggers import builds
from scripts_app.environments import environments
from scripts_app.models import Environment
from tempo_site.lib import files, paths
from tempo_site.lib.sqlite.prepared import PreparedQuery

logger = logging.getLogger(__name__)

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
MAX_BOOT_ID = 100  # it has 37 bytes
YOUNG = timedelta(seconds=0.05)
HAND_OVER_AGAIN = timedelta(seconds=2)  # a burst is still forking before that
DAMAGED = "Its `exit.json` is damaged, so how it ended is not known."
NOT_KNOWN = "so how it would have ended is not known."
MACHINE_DOWN = f"The machine went down while it was under way, {NOT_KNOWN}"
KILLED = f"Its supervisor was killed, or could not write down the end, {NOT_KNOWN}"
KILLED_OR_DOWN = (
    "Its supervisor was killed, or could not write down the end, or the machine went down, "
    + NOT_KNOWN
)
NEVER_BEGAN = "It was handed to the launcher again and again, and never began."
WITHOUT_FOLDER = (
    "Its folder below runs/ was removed while it was under way, so how it ended is not known."
)

_UNDER_WAY = PreparedQuery(lambda: Run.objects.under_way().select_related("script"))


@dataclass(frozen=True, kw_only=True)
class End:
    """What the folder says of a run that is over; `fields` are of Run."""

    run: Run
    status: Status
    fields: dict[str, Any]


def reconcile(run: Run, *, now: datetime) -> bool:
    """Bring the row in line with the folder; returns whether the row changed."""
    found = _look_into_folder(run, now)
    if isinstance(found, End):
        return finish.end(run, found.status, now=now, **found.fields)
    return found


def _look_into_folder(run: Run, now: datetime) -> End | bool:
    # The end of the run, which is not stored yet; else whether the row changed.
    path = paths.run_folder(run.folder)
    with run_folder.opened(path) as folder:
        if folder is None or not run_folder.has(folder, CLAIM):
            if not _has_lost_its_folder(run, folder, path):
                return False
            return _lose_without_folder(run)
        is_alive = run_folder.is_locked(folder)
        verdict = run_folder.read_object(folder, EXIT)
        if verdict is not None and runner_report.is_ours(verdict):
            return _conclude(run, folder, verdict, now)
        if is_alive:
            return _mark_running(run, folder, now)
        if run_folder.has(folder, EXIT):
            return _lose(run, folder, path, DAMAGED)
        # Written to the end and not renamed: the runner was killed in between, or the disk refused.
        verdict = run_folder.read_object(folder, launcher_files.temporary(EXIT))
        if verdict is not None and runner_report.is_ours(verdict):
            return _conclude(run, folder, verdict, now)
        claim = run_folder.read(folder, CLAIM) or b""
        if claim == execution.CLAIMED_BY_CANCEL:
            return End(run=run, status=Status.CANCELLED, fields={"reason": Reason.USER})
        if claim.startswith(execution.CLAIMED_TO_FAIL):
            return _fail(run, claim.removeprefix(execution.CLAIMED_TO_FAIL))
        return _lose(run, folder, path, _why_it_is_lost(folder))


def _why_it_is_lost(folder: int) -> str:
    state = run_folder.read_object(folder, STATE) or {}
    boot_id = state.get("boot_id")
    if not isinstance(boot_id, str):
        return KILLED_OR_DOWN
    if boot_id != files.read_regular(BOOT_ID, max_bytes=MAX_BOOT_ID).decode().strip():
        return MACHINE_DOWN
    return KILLED


def _has_lost_its_folder(
    run: Run,
    folder: int | None,
    path: Path,
) -> bool:
    # Whether a run had begun, or may have, and its folder is gone: it must never be begun again.
    if run.status == Status.RUNNING or run_folder.is_replaced(path):
        return True
    if not execution.was_accepted(run):
        return False
    return folder is None or not run_folder.has(folder, SPEC)


def _lose_without_folder(run: Run) -> End:
    # Nothing can be recorded about it any more, so its processes are ended and the row says so.
    with suppress(launcher_client.LauncherError):
        launcher_client.launcher.cancel(run.folder)
    return _lose(run, None, paths.run_folder(run.folder), WITHOUT_FOLDER)


def sweep(*, now: datetime) -> bool:
    """Look at every run under way, repeat lost requests; returns whether any run was under way."""
    # Noted before the rows are read: an order that another thread adds meanwhile must not be taken for an old one.
    handed_over = execution.handed_over()
    runs = _UNDER_WAY.rows()
    under_way = {run.pk for run in runs}
    _reconcile_together(runs, now, if_unchanged=_push_on)
    execution.forget(handed_over - under_way)
    unsettled.forget_others(under_way)
    return bool(runs)


def _push_on(run: Run, now: datetime) -> None:
    if run.cancel_requested_at:
        execution.enforce_cancel(run, now=now)
    elif run.status == Status.STARTING and _is_overdue(run, now) and not _is_claimed(run):
        hand_over_again(run, now=now)


def reconcile_all(*, now: datetime) -> bool:
    """Look at every run under way, and store all ends in a transaction; return whether to look again in a moment."""
    runs = _UNDER_WAY.rows()
    _reconcile_together(runs, now)
    return any(_is_young(run, now) for run in runs)


def _reconcile_together(
    runs: Sequence[Run],
    now: datetime,
    *,
    if_unchanged: Callable[[Run, datetime], None] | None = None,
) -> None:
    ends: list[End] = []
    for run in runs:
        with failing_alone(run, now=now):
            found = _look_into_folder(run, now)
            if isinstance(found, End):
                ends.append(found)  # which may fail yet: its failures count on
                continue
            if not found and if_unchanged is not None:
                if_unchanged(run, now)
            unsettled.forget(run)
    _store_together(ends, now)


def _store_together(ends: Sequence[End], now: datetime) -> None:
    if not ends:
        return
    try:
        with transaction.atomic():
            for end in ends:
                finish.end_in_transaction(end.run, end.status, now=now, **end.fields)
            history.mark_archived(now=now)
    except Exception:  # each alone then, so that the others do not share the fate of one
        logger.exception("%s ends could not be stored together", len(ends))
        for run in Run.objects.under_way().filter(pk__in=[end.run.pk for end in ends]):
            with failing_alone(run, now=now):
                reconcile(run, now=now)


def follow_up(*, now: datetime) -> None:
    waiting = hot_statements.what_waits()
    build = None
    if waiting.has_environments:
        build = builds.sweep(now=now)
    if waiting.has_runs or build is not None:
        admission.fail_without_environment(now=now)
        admission.admit(now=now)


def at_start(*, now: datetime) -> None:
    """After a start of `web`: reconcile, adopt living runs, hand over runs that never began."""
    for run in Run.objects.under_way().order_by("pk"):
        with failing_alone(run, now=now):
            _take_over(run, now)
    build.remove_leftovers()
    environments.reset_interrupted(building=_environments_being_built())


def _take_over(run: Run, now: datetime) -> None:
    if reconcile(run, now=now) and run.is_final:
        return
    if _is_claimed(run):
        _adopt(run)
    else:
        hand_over_again(run, now=now)


def hand_over_again(run: Run, *, now: datetime) -> None:
    """Hand over a run that was never claimed; the claim keeps a run from being executed twice."""
    if run.cancel_requested_at:
        execution.enforce_cancel(run, now=now)
        return
    if execution.is_handed_over_in_vain(run):
        execution.fail(run, Reason.COULD_NOT_START, NEVER_BEGAN, now=now)
        return
    logger.warning("run %s was not begun, handing it over again", run.pk)
    Run.objects.filter(pk=run.pk).update(handed_over_at=now)
    rows = Run.objects.select_related("script", "version", "environment")
    execution.hand_over(rows.get(pk=run.pk), now=now)


def _is_young(run: Run, now: datetime) -> bool:
    # Whether the script began so lately that its row is still to say so.
    if run.status != Status.STARTING or run.started_at is None:
        return False
    return abs(now - run.started_at) < YOUNG


def _is_overdue(run: Run, now: datetime) -> bool:
    # Handed over a while ago; a clock that was set back meanwhile counts as a while, too.
    handed_over_at = run.handed_over_at or run.created_at
    return abs(now - handed_over_at) > HAND_OVER_AGAIN


def _is_claimed(run: Run) -> bool:
    with run_folder.opened(paths.run_folder(run.folder)) as folder:
        return folder is not None and run_folder.has(folder, CLAIM)


def _environments_being_built() -> list[int]:
    builds_under_way = Run.objects.under_way().filter(
        kind=Kind.BUILD,
        environment__state=Environment.State.BUILDING,
    )
    pks = builds_under_way.values_list("environment_id", flat=True)
    return [pk for pk in pks if pk is not None]


def _adopt(run: Run) -> None:
    try:
        launcher_client.launcher.adopt(run.folder)
    except launcher_client.LauncherError as error:
        logger.warning("run %s goes on but was not adopted: %s", run.pk, error)


def _mark_running(run: Run, folder: int, now: datetime) -> bool:
    if run.status != Status.STARTING:
        return False
    state = run_folder.read_object(folder, STATE) or {}
    started_at = runner_report.moment(state.get("started_at"))
    if started_at is None and _is_overdue(run, now):  # the disk was full, or the file was spoilt
        started_at = runner_report.moment(run_folder.changed_at(folder, CLAIM))
    if started_at is None:
        return False  # claimed a moment ago: the script itself is still to start
    run.started_at = started_at
    if _is_young(run, now) and not _is_overdue(run, now):
        return False  # a run that is over soon is written once, at its end
    run.late_ms = late_ms(run, started_at)
    has_moved = hot_statements.update_run(
        run.pk,
        among=[Status.STARTING],
        status=Status.RUNNING,
        started_at=started_at,
        late_ms=run.late_ms,
        **runner_report.isolation_fields(state),
    )
    if has_moved:
        run.status = Status.RUNNING
        live.publish(run)
    return has_moved


def _conclude(
    run: Run,
    folder: int,
    verdict: dict[str, Any],
    now: datetime,
) -> End:
    status, reason = runner_report.verdict_of(verdict)
    started_at = runner_report.moment(verdict.get("started_at")) or run.started_at
    fields = runner_report.run_fields(verdict)
    if reason == Reason.USER:
        fields["message"] = ""  # the runner knows that it was cancelled, the row knows by whom
    fault = environment_check.check_after_run(run, reason, fields["exit_code"], now=now)
    if fault:
        reason = Reason.ENVIRONMENT
        fields["message"] = script.broken_environment(fault)
    fields |= {
        "reason": reason,
        "started_at": started_at,
        "late_ms": late_ms(run, started_at),
        "finished_at": runner_report.moment(verdict.get("finished_at")) or now,
        "log_bytes": _log_bytes(folder),
    }
    fields = ends.with_explanation(run, status, fields, reads_log=True)
    return End(run=run, status=status, fields=fields)


def _fail(run: Run, why: bytes) -> End:
    fields = {
        "reason": Reason.COULD_NOT_START,
        "message": runner_report.message(why.decode(errors="replace")),
    }
    return End(run=run, status=Status.FAILED, fields=fields)


def _lose(
    run: Run,
    folder: int | None,
    path: Path,
    message: str,
) -> End:
    # It left no verdict: how it ended is not known, and it is never run again by itself.
    state: dict[str, Any] = {}
    log_bytes = 0
    if folder is not None:
        _give_space_back(run, folder)
        log.append_tail(path)
        state = run_folder.read_object(folder, STATE) or {}
        log_bytes = _log_bytes(folder)
    started_at = runner_report.moment(state.get("started_at")) or run.started_at
    fields = {
        "reason": Reason.RESTART,
        "message": message,
        "started_at": started_at,
        "late_ms": late_ms(run, started_at),
        "log_bytes": log_bytes,
        **runner_report.isolation_fields(state),
    }
    return End(run=run, status=Status.LOST, fields=fields)


def _give_space_back(run: Run, folder: int) -> None:
    # A runner that could not end its run has left `tmp/`; on a full disk the row could not be stored without this.
    try:
        history.remove_temporary(run, folder)
    except (OSError, launcher_client.LauncherError) as error:
        logger.warning("tmp/ of run %s could not be removed yet: %s", run.pk, error)


def _log_bytes(folder: int) -> int:
    return runner_report.log_size(run_folder.size(folder, log.LOG))


def late_ms(run: Run, started_at: datetime | None) -> int | None:
    if run.due_at is None or started_at is None:
        return None
    late_s = (started_at - run.due_at).total_seconds()
    return max(0, round(late_s * 1000))
