"""The only place where a run is born: its row and its place in the queue, in one transaction."""

import logging
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.models import OrmQ
from django_q.tasks import async_task

from runs_app import disk_space, live
from runs_app.models import Run
from runs_app.states import Kind, Reason, Status, Trigger
from scripts_app import environments, limits
from scripts_app.models import Environment, Schedule, Script
from tempo_site.lib import queue_wake

logger = logging.getLogger(__name__)

ADMIT = "runs_app.tasks.admit"


class Refused(ValueError):
    """Nothing was started; the text says why and what to do, `reason` is for the row of a due moment."""

    def __init__(self, sentence: str, reason: Reason) -> None:
        super().__init__(sentence)
        self.reason = reason


def start(
    script: Script,
    *,
    trigger: Trigger,
    by: str,
    now: datetime,
    params: dict[str, Any] | None = None,
    schedule: Schedule | None = None,
    due_at: datetime | None = None,
    missed_count: int = 0,
    missed_since: datetime | None = None,
    parent_id: int | None = None,
    attempt: int = 1,
    not_before: datetime | None = None,
) -> Run:
    """Queue a run of the script's current version and return its row.

    Raises Refused when the script is deleted or the disk is below its floor.
    """
    if script.deleted_at is not None or script.version_id is None:
        raise Refused(f"`{script.slug}` was deleted.", Reason.DISABLED)
    check_free_space()
    # Where both are the same row there is no need to ask for it: admission looks at its state in any case.
    is_waiting = script.environment_id != script.wanted_environment_id and environments.is_awaited(script)
    with transaction.atomic():
        run = Run.objects.create(
            kind=Kind.SCRIPT,
            script=script,
            version_id=script.version_id,
            trigger=trigger,
            by=by,
            schedule=schedule,
            due_at=due_at,
            missed_count=missed_count,
            missed_since=missed_since,
            parent_id=parent_id,
            attempt=attempt,
            not_before=not_before,
            params=params or {},
            timeout_s=limits.of(script)["timeout_s"],
            memory_mb=limits.of(script)["memory_mb"],
            reason=Reason.ENVIRONMENT if is_waiting else "",
            created_at=now,
        )
        enqueue_admission()
        live.publish(run)
    return run


def again(run: Run, *, trigger: Trigger, by: str, now: datetime) -> Run:
    """Queue a run of the same script with the same parameters: its current version, not the one of then.

    Raises Refused as `start` does, and for the building of an environment.
    """
    if run.script is None:
        raise Refused(f"{run} built an environment: ask for it again on a script's page.", Reason.DISABLED)
    return start(run.script, trigger=trigger, by=by, now=now, params=run.params)


def start_build(environment: Environment, *, now: datetime) -> Run:
    """Queue the building of an environment."""
    with transaction.atomic():
        run = Run.objects.create(
            kind=Kind.BUILD,
            environment=environment,
            trigger=Trigger.BUILD,
            timeout_s=settings.BUILD_TIMEOUT_S,
            created_at=now,
        )
        enqueue_admission()
    return run


def record(schedule: Schedule, status: Status, **fields: Any) -> Run:
    """Write the row of a due moment that got no run: `skipped` or `missed`, final from birth."""
    run = Run(
        script_id=schedule.script_id,
        version_id=schedule.script.version_id,
        schedule=schedule,
        trigger=Trigger.SCHEDULE,
        status=status,
        **fields,
    )
    run.finished_at = run.announced_at = run.folded_at = run.created_at
    run.save(force_insert=True)
    live.publish(run)
    return run


def enqueue_admission() -> None:
    """Ask the engine to admit what is queued; part of the caller's transaction, heard when it is committed.

    A task in the queue that nobody has taken yet will find this run as well: whoever takes it needs the write lock,
    which this transaction holds. So a burst costs few tasks, not one a run. The clock is read here, as the stamps it is
    compared with are django-q2's own.
    """
    if OrmQ.objects.filter(lock__lte=timezone.now()).exists():
        transaction.on_commit(queue_wake.ring)
        return
    # save=False: the success row is most of what such a task costs. The broker is passed so that it is the waking one.
    async_task(ADMIT, save=False, broker=get_broker())


def check_free_space() -> None:
    """Raise Refused when the data folder's disk is nearly full: new runs stop first, running ones last."""
    space = disk_space.look()
    if space.is_low:
        sentence = f"No new run starts: {space}.\nhint: free some space, or lower PYSCHED_MIN_FREE_MB"
        raise Refused(f"{sentence} and PYSCHED_MIN_FREE_PERCENT", Reason.DISK)
