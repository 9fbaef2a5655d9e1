"""The only way a run ends: the row moves into a final status, the program is asked, open pages are told."""

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from runs_app import hot_statements, states
from runs_app.failures import ends
from runs_app.models import Run
from runs_app.output import live
from runs_app.programs import registry
from runs_app.signals import announced_at, run_finished
from runs_app.states import Status

logger = logging.getLogger(__name__)


def end(
    run: Run,
    status: Status,
    *,
    now: datetime,
    only: Status | None = None,
    **fields: Any,
) -> bool:
    """Move a run into a final status and store `fields` (of Run) in the same UPDATE.

    Returns False when the run was final already, or, with `only`, in another status than that.
    """
    # The end of a run and what it means for its schedule or its environment: never one without the other.
    with transaction.atomic():
        return end_in_transaction(run, status, now=now, only=only, **fields)


def end_in_transaction(
    run: Run,
    status: Status,
    *,
    now: datetime,
    only: Status | None = None,
    **fields: Any,
) -> bool:
    """Do as `end`, as part of the caller's transaction, which an error has to undo as a whole."""
    among = [source for source in states.sources_of(status) if only in (None, source)]
    fields = ends.with_explanation(run, status, fields)
    fields = {"finished_at": now, **fields}
    fields["announced_at"] = announced_at(run, status, now=now, fields=fields)
    fields["finished_at"] = _behind_its_start(run, fields)
    if not hot_statements.update_run(run.pk, among=among, status=status, **fields):
        return False
    run.status = status
    for name, value in fields.items():
        setattr(run, name, value)
    registry.program_of(run).finished(run, now=now)
    transaction.on_commit(lambda: _tell(run))
    return True


def _behind_its_start(run: Run, fields: dict[str, Any]) -> datetime:
    # The clock may have been set back meanwhile: then the duration tells, which another clock has measured.
    finished_at: datetime = fields["finished_at"]
    started_at = fields.get("started_at") or run.started_at
    if started_at is None or finished_at >= started_at:
        return finished_at
    lasted: datetime = started_at + timedelta(seconds=fields.get("duration_s") or 0)
    return lasted


def _tell(run: Run) -> None:
    logger.info(
        "run %s ended status=%s reason=%s exit_code=%s",
        run.pk,
        run.status,
        run.reason or "-",
        run.exit_code,
    )
    live.publish(run)
    run_finished.send_robust(Run, run=run)
