"""The one way a run ends: a conditional move into a final status, then everybody is told."""

import logging
from datetime import datetime
from typing import Any

from django.db import transaction

from runs_app.models import Run
from runs_app.output import live
from runs_app.signals import run_finished
from runs_app.states import Kind, Reason, Status
from runs_app.triggers import schedule_updates
from scripts_app.environments import builds, python_installation
from tempo_site.lib import paths

logger = logging.getLogger(__name__)


def end(
    run: Run, status: Status, *, now: datetime, only: Status | None = None, **facts: Any
) -> bool:
    """Move a run into a final status and store `facts` (fields of Run) in the same UPDATE.

    Returns False when it was final already, or, with `only`, in another status than that. Nobody has to be told of a
    run's end yet, so it counts as announced.
    """
    row = Run.objects.filter(pk=run.pk, **({"status": only} if only else {}))
    facts.setdefault("finished_at", now)
    if run.installs:
        facts |= _installation(run, status)
    with transaction.atomic():  # a build's end and its environment's: never one without the other
        if not row.move(status, announced_at=now, **facts):
            return False
        for name, value in {**facts, "status": status, "announced_at": now}.items():
            setattr(run, name, value)
        if run.is_build and run.environment:
            _finish_build(run, now)
        schedule_updates.note_end(run, now=now)
    logger.info(
        "run %s ended status=%s reason=%s exit_code=%s",
        run.pk,
        run.status,
        run.reason or "-",
        run.exit_code,
    )
    live.publish(run)
    run_finished.send_robust(Run, run=run)
    return True


def _installation(run: Run, status: Status) -> dict[str, str]:
    """What becomes of the row of a run that installs a Python: uv's words when it failed."""
    if status == Status.SUCCEEDED:
        python_installation.note_success()
    said = python_installation.message(paths.run_folder(run.folder)) if run.folder else ""
    return {"message": said} if said and status == Status.FAILED else {}


def _finish_build(run: Run, now: datetime) -> None:
    assert run.environment
    builds.finish(
        run.environment,
        folder=paths.run_folder(run.folder),
        succeeded=run.status == Status.SUCCEEDED,
        message=run.explain(),
        now=now,
        is_interrupted=_was_interrupted(run),
    )


def _was_interrupted(run: Run) -> bool:
    """Whether a build deserves another try by itself: after a shutdown, or lost for the first time in a row."""
    if run.status != Status.LOST:
        return run.reason == Reason.SHUTDOWN
    before = Run.objects.filter(
        environment=run.environment, pk__lt=run.pk, kind=Kind.BUILD
    ).order_by("-pk")
    return before.values_list("status", flat=True).first() != Status.LOST
