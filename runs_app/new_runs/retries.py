"""Retries: a failed run of a schedule is followed by another try, a further run that waits for a moment."""

import logging
from datetime import datetime, timedelta

from django.db.models import Min

from runs_app.models import Run, RunQuerySet
from runs_app.new_runs import new_runs
from runs_app.states import Reason, Status, Trigger
from scripts_app.inputs import parameters
from scripts_app.models import Schedule
from scripts_app.schedules import schedules

logger = logging.getLogger(__name__)

RETRYABLE = frozenset({Status.FAILED, Status.TIMED_OUT, Status.LOST})


def queue_next_try(run: Run, *, now: datetime) -> Run | None:
    """Queue the next try of a run that has just ended, as part of the caller's transaction."""
    if run.status not in RETRYABLE or run.schedule_id is None:
        return None
    armed = Schedule.objects.armed().filter(pk=run.schedule_id)
    schedule = armed.select_related("script").first()
    if schedule is None or run.attempt > schedule.retries:
        return None
    schedules.ring_on_commit()
    inputs, _ = parameters.split(schedule.script, run.params)
    try:
        following = new_runs.prepare(
            schedule.script,
            trigger=Trigger.RETRY,
            by="",
            now=now,
            params=inputs,
            schedule=schedule,
            parent_id=run.parent_id or run.pk,
            attempt=run.attempt + 1,
            not_before=now + timedelta(seconds=wait_s(schedule, run.attempt)),
        )
    except new_runs.Refused as refusal:
        logger.warning("run %s is not tried again: %s", run.pk, refusal)
        return None
    new_runs.queue([following])
    return following


def wait_s(schedule: Schedule, attempt: int) -> int:
    wait: int = schedule.retry_delay_s
    if schedule.retry_backoff != Schedule.Backoff.DOUBLING:
        return wait
    longer = wait << (attempt - 1)
    return min(longer, schedule.retry_max_delay_s)


def next_at(now: datetime) -> datetime | None:
    awaited = pending(now).exclude(schedule__paused_until__gt=now)
    first: datetime | None = awaited.aggregate(first=Min("not_before"))["first"]
    return first


def pending(now: datetime) -> RunQuerySet:
    return Run.objects.filter(status=Status.QUEUED, not_before__gt=now)


def supersede(schedule: Schedule, *, now: datetime) -> None:
    earlier = pending(now).filter(schedule=schedule)
    earlier.move(
        Status.SKIPPED,
        reason=Reason.SUPERSEDED,
        message="Not tried again: the schedule's next start was due.",
        finished_at=now,
        announced_at=now,
        archived_at=now,
    )
