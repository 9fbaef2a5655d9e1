"""The only place where a run is born: its row and its place in the queue, in one transaction."""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypedDict, Unpack

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.models import OrmQ
from django_q.tasks import async_task

from runs_app import disk_space
from runs_app.models import Run
from runs_app.output import live
from runs_app.states import Kind, Reason, Status, Trigger
from scripts_app import limits
from scripts_app.environments import environments
from scripts_app.inputs import parameters
from scripts_app.models import Environment, Schedule, Script
from tempo_site.lib import waking_broker

logger = logging.getLogger(__name__)

ADMIT = "runs_app.tasks.admit"


class Refused(ValueError):
    """Nothing was started; the text says why and what to do, `reason` is for the row of a due moment."""

    def __init__(self, sentence: str, reason: Reason) -> None:
        super().__init__(sentence)
        self.reason = reason


class WrongInputs(Refused):
    """The run cannot be given these inputs; `fields` has a sentence by the name of the parameter."""

    def __init__(self, slug: str, error: parameters.InputError) -> None:
        super().__init__(f"`{slug}` was not run: {error}\nhint: run it with inputs", Reason.INPUTS)
        self.fields = error.fields


class RunFields(TypedDict, total=False):
    """What else a run may bring from its birth."""

    params: dict[str, Any] | None
    schedule: Schedule | None
    due_at: datetime | None
    missed_count: int
    missed_since: datetime | None
    parent_id: int | None
    attempt: int
    not_before: datetime | None


def start(
    script: Script, *, trigger: Trigger, by: str, now: datetime, **facts: Unpack[RunFields]
) -> Run:
    """Queue a run of the script's current version and return its row.

    Raises Refused when the script is deleted, its Python cannot read its code, or the disk is below its floor.
    """
    run = prepare(script, trigger=trigger, by=by, now=now, **facts)
    store([run])
    return run


def prepare(
    script: Script, *, trigger: Trigger, by: str, now: datetime, **facts: Unpack[RunFields]
) -> Run:
    """Return a queued run that nobody has stored yet. Raises Refused as `start` does."""
    if script.deleted_at is not None or script.version_id is None:
        raise Refused(f"`{script.slug}` was deleted.", Reason.DELETED)
    if script.version and script.version.syntax_error:
        raise Refused(unreadable_code(script.slug, script.version.syntax_error), Reason.SYNTAX)
    check_free_space()
    # Where both are the same row there is no need to ask for it: admission looks at its state in any case.
    is_waiting = script.environment_id != script.wanted_environment_id and environments.is_awaited(
        script
    )
    bounds = limits.limits_of_script(script)
    facts["params"] = _inputs(script, facts.get("params") or {})
    return Run(
        kind=Kind.SCRIPT,
        script=script,
        version_id=script.version_id,
        trigger=trigger,
        by=by,
        timeout_s=bounds["timeout_s"],
        memory_mb=bounds["memory_mb"],
        reason=Reason.ENVIRONMENT if is_waiting else "",
        created_at=now,
        **facts,
    )


def _inputs(script: Script, given: dict[str, Any]) -> dict[str, Any]:
    """What is given, checked, with the defaults of the rest. Raises WrongInputs."""
    try:
        return dict(parameters.check_inputs(script, given))
    except parameters.InputError as error:
        raise WrongInputs(script.slug, error) from error


def unreadable_code(slug: str, syntax_error: str) -> str:
    """Say that a script does not run for the syntax error of its version (`line 3: invalid syntax`)."""
    return f"`{slug}` was not run, as Python cannot read it: {syntax_error}.\nhint: correct it and save a version"


def store(runs: Sequence[Run]) -> None:
    """Write rows in this order, in one transaction; those that are queued find their way from there."""
    with transaction.atomic():
        Run.objects.bulk_create(runs)
        if not all(run.is_final for run in runs):
            enqueue_admission()
        for run in runs:
            live.publish(run)


def start_again(run: Run, *, trigger: Trigger, by: str, now: datetime) -> Run:
    """Queue a run of the same script with the same inputs: its current version, not the one of then.

    Inputs that it does not declare any more are dropped: `dropped` says which. Raises Refused as `start` does, and for
    the building of an environment.
    """
    if run.script is None:
        raise Refused(
            f"{run} built an environment: ask for it again on a script's page.", Reason.NONE
        )
    return start(
        run.script,
        trigger=trigger,
        by=by,
        now=now,
        params=parameters.split(run.script, run.params)[0],
    )


def dropped_inputs(run: Run) -> str:
    """Say which inputs of a run its script does not declare any more; "" when all are there."""
    names = parameters.split(run.script, run.params)[1] if run.script else []
    shown = ", ".join(f"`{name}`" for name in names)
    return f"Without {shown}: its script has no such input any more." if names else ""


def start_build(environment: Environment, *, now: datetime) -> Run:
    """Queue the building of an environment."""
    return _start_program(Kind.BUILD, now=now, environment=environment)


def start_installation(version: str, *, by: str, now: datetime) -> Run:
    """Queue the installation of a Python."""
    return _start_program(Kind.INSTALL, now=now, by=by, params={"python": version})


def _start_program(kind: Kind, *, now: datetime, **facts: Any) -> Run:
    """Queue a program of Tempo's own."""
    with transaction.atomic():
        run = Run.objects.create(
            kind=kind,
            trigger=Trigger.BUILD,
            timeout_s=settings.BUILD_TIMEOUT_S,
            created_at=now,
            **facts,
        )
        enqueue_admission()
    return run


def row_without_run(schedule: Schedule, status: Status, *, now: datetime, **fields: Any) -> Run:
    """Return the row of a due moment that gets no run, not stored yet: `skipped` or `missed`, final from birth."""
    return Run(
        script=schedule.script,
        version_id=schedule.script.version_id,
        schedule=schedule,
        trigger=Trigger.SCHEDULE,
        status=status,
        created_at=now,
        finished_at=now,
        announced_at=now,
        archived_at=now,
        **fields,
    )


def enqueue_admission() -> None:
    """Ask the engine to admit what is queued; part of the caller's transaction, heard when it is committed.

    A task in the queue that nobody has taken yet will find this run as well: whoever takes it needs the write lock,
    which this transaction holds. So a burst costs few tasks, not one a run. The clock is read here, as the stamps it is
    compared with are django-q2's own.
    """
    if OrmQ.objects.filter(lock__lte=timezone.now()).exists():
        transaction.on_commit(waking_broker.ring)
        return
    # save=False: the success row is most of what such a task costs. The broker is passed so that it is the waking one.
    async_task(ADMIT, save=False, broker=get_broker())


def check_free_space() -> None:
    """Raise Refused when the data folder's disk is nearly full: new runs stop first, running ones last."""
    space = disk_space.look()
    if space.is_low:
        sentence = (
            f"No new run starts: {space}.\nhint: free some space, or lower PYSCHED_MIN_FREE_MB"
        )
        raise Refused(f"{sentence} and PYSCHED_MIN_FREE_PERCENT", Reason.DISK)
