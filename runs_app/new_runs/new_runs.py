"""The rows of new runs, and the place in the queue: what `triggers` stores, for every door alike."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypedDict, Unpack

from django.db import transaction
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.models import OrmQ
from django_q.tasks import async_task

from runs_app import disk_space, hot_statements
from runs_app.models import Run
from runs_app.output import live
from runs_app.signals import announced_at
from runs_app.states import Kind, Reason, Status, Trigger
from scripts_app import limits
from scripts_app.environments import environments
from scripts_app.inputs import parameters
from scripts_app.models import Schedule, Script
from tempo_site.lib import waking_broker
from tempo_site.stored_settings import store
from tempo_site.stored_settings.limits import QUEUED_RUNS

ADMIT = "runs_app.tasks.admit"
# A model looks for the default of each field that it is not given, which takes longer than all else of a new row.
_DEFAULTS = {
    field.name: field.get_default()
    for field in Run._meta.concrete_fields
    if not field.is_relation and not callable(field.default)
}


class Refused(ValueError):
    """No run was started; the text says why and gives a hint, `reason` is for the row of a due moment."""

    def __init__(self, sentence: str, reason: Reason) -> None:
        super().__init__(sentence)
        self.reason = reason


class WrongInputs(Refused):
    """The run cannot be given these inputs; `fields` has a sentence by the name of the parameter."""

    def __init__(self, slug: str, error: parameters.InputError) -> None:
        sentence = f"`{slug}` was not run: {error}\nhint: run it with inputs that it takes"
        super().__init__(sentence, Reason.INPUTS)
        self.fields = error.fields


class QueueFull(Refused):
    """So many runs wait already that no other is taken."""

    def __init__(self) -> None:
        sentence = f"The queue is full: {store.number(QUEUED_RUNS):,} runs wait already."
        hint = "hint: try again later, cancel some, or raise PYSCHED_MAX_QUEUED_RUNS"
        super().__init__(f"{sentence}\n{hint}", Reason.QUEUE)


class RunFields(TypedDict, total=False):
    params: dict[str, Any] | None
    schedule: Schedule | None
    due_at: datetime | None
    missed_count: int
    missed_since: datetime | None
    parent_id: int | None
    attempt: int
    not_before: datetime | None


def prepare(
    script: Script,
    *,
    trigger: Trigger,
    by: str,
    now: datetime,
    **fields: Unpack[RunFields],
) -> Run:
    """Return a queued run that is not stored yet. Raises Refused as `start` does."""
    if script.deleted_at is not None or script.version_id is None:
        raise Refused(f"`{script.slug}` was deleted.", Reason.DELETED)
    if script.version and script.version.syntax_error:
        raise Refused(unreadable_code(script.slug, script.version.syntax_error), Reason.SYNTAX)
    check_free_space()
    fields["params"] = _check_inputs(script, fields.get("params") or {})
    values: dict[str, Any] = {
        **_DEFAULTS,
        "kind": Kind.SCRIPT,
        "script": script,
        "version": script.version,
        "trigger": trigger,
        "by": by,
        "timeout_s": limits.LIMITS["timeout_s"].within(script.timeout_s),
        "memory_mb": limits.LIMITS["memory_mb"].within(script.memory_mb),
        "reason": _reason_to_wait(script),
        "created_at": now,
        **fields,
    }
    return Run(**values)


def _reason_to_wait(script: Script) -> Reason:
    # Where both are the same row there is no need to ask for it: admission looks at its state in any case.
    if script.environment_id == script.wanted_environment_id:
        return Reason.NONE
    if environments.is_awaited(script):
        return Reason.ENVIRONMENT
    return Reason.NONE


def _check_inputs(script: Script, inputs: dict[str, Any]) -> dict[str, Any]:
    try:
        return dict(parameters.check_inputs(script, inputs))
    except parameters.InputError as error:
        raise WrongInputs(script.slug, error) from error


def unreadable_code(slug: str, syntax_error: str) -> str:
    sentence = f"`{slug}` was not run, as Python cannot read it: {syntax_error}."
    return f"{sentence}\nhint: correct it and save a version"


def row_without_run(
    schedule: Schedule,
    status: Status,
    *,
    now: datetime,
    **fields: Any,
) -> Run:
    """Return the row of a due moment that gets no run, not stored yet: `skipped` or `missed`, final from birth."""
    run = Run(
        script=schedule.script,
        version_id=schedule.script.version_id,
        schedule=schedule,
        trigger=Trigger.SCHEDULE,
        status=status,
        created_at=now,
        finished_at=now,
        archived_at=now,
        **fields,
    )
    run.announced_at = announced_at(run, status, now=now, fields=fields)
    return run


def refuse_beyond_queue(runs: Sequence[Run], *, now: datetime) -> None:
    """Look whether the queue takes those of new runs that have to wait: no statement where none has to.

    Those of schedules are skipped, with the reason in their row. Raise QueueFull for others.
    """
    waiting = [run for run in runs if run.status == Status.QUEUED]
    if not waiting or not _is_queue_full():
        return
    full = QueueFull()
    for run in waiting:
        if run.schedule is None:
            raise full
        run.status = Status.SKIPPED
        run.reason = full.reason
        run.message = str(full)
        run.finished_at = run.archived_at = now
        run.announced_at = announced_at(
            run, Status.SKIPPED, now=now, fields={"reason": full.reason}
        )


def _is_queue_full() -> bool:
    queued = Run.objects.filter(kind=Kind.SCRIPT, status=Status.QUEUED).order_by()
    most = store.number(QUEUED_RUNS)
    return queued[:most].count() >= most


def queue(runs: Sequence[Run]) -> None:
    """Write rows in this order, in the caller's transaction, and ask for admission when any row is queued."""
    if not all(run.pk for run in runs):
        for pk, run in enumerate(runs, hot_statements.next_pk()):
            run.pk = pk
    hot_statements.insert_runs(runs)
    if any(run.status == Status.QUEUED for run in runs):
        enqueue_admission()
    for run in runs:
        live.publish(run)


def enqueue_admission() -> None:
    """Ask the engine to admit queued runs, as part of the caller's transaction; heard after its commit."""
    # A task that no worker has taken yet will find this run as well: the worker needs the write lock, which this
    # transaction holds. So a burst costs few tasks, not a task a run. The clock is read here, as the stamps in the
    # queue are django-q2's own.
    if OrmQ.objects.filter(lock__lte=timezone.now()).exists():
        transaction.on_commit(waking_broker.ring)
        return
    # save=False: the success row is most of what such a task costs. The broker is passed so that it is the waking one.
    async_task(ADMIT, save=False, broker=get_broker())


def check_free_space() -> None:
    # New runs stop first, running ones last: see `disk_space.hard_floor_mb`.
    space = disk_space.look()
    if space.is_low:
        hint = "hint: free some space, or lower PYSCHED_MIN_FREE_MB and PYSCHED_MIN_FREE_PERCENT"
        raise Refused(f"No new run starts: {space}.\n{hint}", Reason.DISK)
    why_no_file = disk_space.why_no_file()
    if why_no_file:
        hint = "hint: delete files on that disk; then runs begin again by themselves"
        raise Refused(f"No new run starts: {why_no_file}.\n{hint}", Reason.DISK)
