"""Settling: folding what a run's folder says into its row. Pure fact-finding, repeatable, never a heartbeat.

The order is claim, then lock, then exit.json, and an unclaimed folder is never probed: any other order calls living
runs lost.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from runs_app import builds, control, ending, execution, live, queueing
from runs_app.launcher import locks
from runs_app.models import Run
from runs_app.states import Reason, Status
from scripts_app import environments
from tempo_site.lib import paths

logger = logging.getLogger(__name__)

HAND_OVER_AGAIN = timedelta(seconds=2)  # a burst is still forking before that


def settle(run: Run, *, now: datetime) -> bool:
    """Bring the row in line with the folder; returns whether it changed."""
    folder = paths.run_folder(run.folder)
    claim = _read(folder / "claim")
    if claim is None:
        return _has_lost_its_folder(run, folder) and _lose_without_folder(run, now)
    is_alive = locks.probe(folder)
    verdict = _read_json(folder / "exit.json")
    if verdict is not None:
        return _conclude(run, verdict, now)
    if is_alive:
        return run.status == Status.STARTING and _mark_running(run, _read_json(folder / "state.json"))
    if claim == execution.CLAIMED_BY_CANCEL:
        return ending.end(run, Status.CANCELLED, now=now, reason=Reason.USER)
    why = "Its supervisor was killed or the machine went down, so how it would have ended is not known."
    return _lose(run, folder, why, now)


def _has_lost_its_folder(run: Run, folder: Path) -> bool:
    """Whether a run had begun, or may have, and its folder is gone: it must never be begun again."""
    if run.status == Status.RUNNING:
        return True
    return execution.was_accepted(run) and not (folder / "spec.json").exists()


def _lose_without_folder(run: Run, now: datetime) -> bool:
    """Nothing can be recorded about it any more, so its processes are ended and the row says so."""
    with suppress(control.LauncherError):
        control.launcher.cancel(run.folder)
    why = "Its folder below runs/ was removed while it was under way, so how it ended is not known."
    return _lose(run, paths.run_folder(run.folder), why, now)


def sweep(*, now: datetime) -> bool:
    """Look at every run under way; what was never claimed or not yet cancelled is asked for again.

    Returns whether any was under way.
    """
    runs = list(Run.objects.under_way())
    for run in runs:
        with _set_aside(run):
            _look_at(run, now)
    execution.forget_ended()
    return bool(runs)


def _look_at(run: Run, now: datetime) -> None:
    if settle(run, now=now):
        return
    if run.cancel_requested_at:
        execution.enforce_cancel(run, now=now)
    elif run.status == Status.STARTING and _is_unclaimed_for_long(run, now):
        hand_over_again(run, now=now)


def settle_all(*, now: datetime) -> None:
    """Settle every run under way: the answer to a bell."""
    for run in Run.objects.under_way().select_related("script"):
        with _set_aside(run):
            settle(run, now=now)


@contextmanager
def _set_aside(run: Run) -> Iterator[None]:
    """One run that cannot be settled must not keep the others from it."""
    try:
        yield
    except Exception:
        logger.exception("run %s could not be settled", run.pk)


def follow_up(*, now: datetime) -> None:
    """What an ended run or a written wish may have made possible: builds, failures for want of one, admission."""
    builds.sweep(now=now)
    if Run.objects.filter(status=Status.QUEUED).exists():
        queueing.fail_without_environment(now=now)
        queueing.admit(now=now)


def at_start(*, now: datetime) -> None:
    """After a start of `web`: settle, adopt what lives, hand over what never began."""
    for run in Run.objects.under_way().order_by("pk"):
        with _set_aside(run):
            _take_over(run, now)
    environments.reset_interrupted(building=_environments_being_built())


def _take_over(run: Run, now: datetime) -> None:
    if settle(run, now=now) and run.is_final:
        return
    if _read(paths.run_folder(run.folder) / "claim") is None:
        hand_over_again(run, now=now)
    else:
        _adopt(run)


def hand_over_again(run: Run, *, now: datetime) -> None:
    """Ask for a run that was handed over but never claimed; the claim keeps it from running twice."""
    if run.cancel_requested_at:
        execution.enforce_cancel(run, now=now)
        return
    logger.warning("run %s was not begun, handing it over again", run.pk)
    Run.objects.filter(pk=run.pk).update(handed_over_at=now)
    full = Run.objects.select_related("script", "version", "environment").get(pk=run.pk)
    execution.hand_over(full, now=now)


def _is_unclaimed_for_long(run: Run, now: datetime) -> bool:
    since = run.handed_over_at or run.created_at
    return now - since > HAND_OVER_AGAIN and _read(paths.run_folder(run.folder) / "claim") is None


def _environments_being_built() -> list[int]:
    building = Run.objects.under_way().filter(environment__state="building", kind="build")
    return [pk for pk in building.values_list("environment_id", flat=True) if pk]


def _adopt(run: Run) -> None:
    try:
        control.launcher.adopt(run.folder)
    except control.LauncherError as error:
        logger.warning("run %s goes on but was not adopted: %s", run.pk, error)


def _mark_running(run: Run, state: dict[str, Any] | None) -> bool:
    if state is None:
        return False  # claimed a moment ago: the script itself is still to start
    started_at = _moment(state["started_at"])
    run.late_ms = late_ms(run, started_at)
    moved = Run.objects.filter(pk=run.pk, status=Status.STARTING).move(
        Status.RUNNING, started_at=started_at, late_ms=run.late_ms, isolation=state.get("isolation", "basic")
    )
    if moved:
        run.status, run.started_at = Status.RUNNING, started_at
        live.publish(run)
    return moved


def _conclude(run: Run, verdict: dict[str, Any], now: datetime) -> bool:
    started_at = _moment(verdict["started_at"]) if verdict.get("started_at") else run.started_at
    return ending.end(
        run,
        Status(verdict["status"]),
        now=now,
        reason=verdict.get("reason", ""),
        # The runner knows that it was cancelled, the row knows by whom.
        message="" if verdict.get("reason") == Reason.USER else verdict.get("message", ""),
        exit_code=verdict.get("exit_code"),
        signal=verdict.get("signal") or "",
        started_at=started_at,
        late_ms=late_ms(run, started_at),
        finished_at=_moment(verdict["finished_at"]),
        duration_s=verdict.get("duration_s"),
        cpu_s=verdict.get("cpu_s"),
        peak_memory_mb=verdict.get("peak_memory_mb"),
        output_bytes=verdict.get("output_bytes", 0),
        log_bytes=verdict.get("log_bytes", 0),
        leftovers_killed=verdict.get("leftovers_killed", 0),
    )


def _lose(run: Run, folder: Path, why: str, now: datetime) -> bool:
    """It left no verdict: nobody can say how it ended, and it is never run again by itself."""
    log = folder / "output.log"
    state = _read_json(folder / "state.json") or {}
    started_at = _moment(state["started_at"]) if "started_at" in state else run.started_at
    return ending.end(
        run,
        Status.LOST,
        now=now,
        reason=Reason.RESTART,
        message=why,
        started_at=started_at,
        late_ms=late_ms(run, started_at),
        log_bytes=log.stat().st_size if log.exists() else 0,
    )


def late_ms(run: Run, started_at: datetime | None) -> int | None:
    """How long after its due moment a run began, in milliseconds; None without either."""
    if run.due_at is None or started_at is None:
        return None
    return max(0, round((started_at - run.due_at).total_seconds() * 1000))


def _moment(epoch_s: float) -> datetime:
    return datetime.fromtimestamp(epoch_s, tz=UTC)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _read_json(path: Path) -> dict[str, Any] | None:
    """The file's object, or None when it is missing or torn (a torn one counts as never written)."""
    try:
        content = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return content if isinstance(content, dict) else None
