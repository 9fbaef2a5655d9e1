"""The only birthplace of runs: the row and its place, under way or in the queue, in a single transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Unpack

from django.conf import settings
from django.db import transaction
from django.db.models import Max

from runs_app.admission import births
from runs_app.models import Run
from runs_app.new_runs import new_runs
from runs_app.new_runs.new_runs import RunFields
from runs_app.states import Kind, Reason, Trigger
from scripts_app.inputs import parameters
from scripts_app.models import Environment, Script
from tempo_site.audit import trail

# What the verbs below raise.
Refused = new_runs.Refused
WrongInputs = new_runs.WrongInputs
QueueFull = new_runs.QueueFull

# What schedules and retries start is in the history of runs, each with its schedule; the audit is of acts.
BACKUP_TIMEOUT_S = 6 * 3600
BY_SOMEBODY = frozenset({Trigger.MANUAL, Trigger.API, Trigger.URL, Trigger.COMMAND, Trigger.ADMIN})


def start(
    script: Script,
    *,
    trigger: Trigger,
    by: str,
    now: datetime,
    **fields: Unpack[RunFields],
) -> Run:
    """Start a run of the script's current version, or queue it where it has to wait.

    Raises Refused: deleted, unreadable, wrong inputs, a full disk, also as QueueFull.
    """
    run = new_runs.prepare(script, trigger=trigger, by=by, now=now, **fields)
    with transaction.atomic():
        store([run], now=now, may_begin=births.is_unchanged(script))
        if trigger in BY_SOMEBODY:
            trail.record("started", run, name=f"#{run.pk} of {script.slug}")
    return run


def store(
    runs: Sequence[Run],
    *,
    now: datetime,
    may_begin: bool = False,
) -> None:
    """Write rows in this order, in the caller's transaction; with `may_begin`, runs that need not wait are under way.

    Those are handed over behind the commit, the others by the task that is queued with them. `may_begin` is for callers
    whose scripts and schedules were read in the same transaction.
    """
    if may_begin:
        births.begin(runs, now=now)
    new_runs.refuse_beyond_queue(runs, now=now)
    new_runs.queue(runs)


def start_again(
    run: Run,
    *,
    trigger: Trigger,
    by: str,
    now: datetime,
) -> Run:
    """Queue the script's current version with the inputs of `run`, undeclared names dropped. Raises Refused."""
    if run.script is None:
        sentence = f"{run} built an environment: ask for it again on a script's page."
        if run.kind == Kind.BACKUP:
            sentence = f"{run} {run.own_work}: ask for it again on the page Backups."
        raise Refused(sentence, Reason.NONE)
    inputs, _ = parameters.split(run.script, run.params)
    return start(
        run.script,
        trigger=trigger,
        by=by,
        now=now,
        params=inputs,
    )


def dropped_inputs(run: Run) -> str:
    if run.script is None:
        return ""
    _, dropped = parameters.split(run.script, run.params)
    if not dropped:
        return ""
    names = ", ".join(f"`{name}`" for name in dropped)
    return f"Without {names}: its script has no such input any more."


def start_build(environment: Environment, *, now: datetime) -> Run:
    return _start_own_program(
        Kind.BUILD,
        now=now,
        environment=environment,
    )


def start_installation(version: str, *, by: str, now: datetime) -> Run:
    return _start_own_program(
        Kind.INSTALL,
        now=now,
        by=by,
        params={"python": version},
    )


def start_backup(params: dict[str, Any], *, trigger: Trigger, by: str, now: datetime) -> Run:
    return _start_own_program(
        Kind.BACKUP,
        now=now,
        trigger=trigger,
        by=by,
        params=params,
        timeout_s=BACKUP_TIMEOUT_S,
    )


def _start_own_program(kind: Kind, *, now: datetime, **fields: Any) -> Run:
    given = {"trigger": Trigger.BUILD, "timeout_s": settings.BUILD_TIMEOUT_S, **fields}
    with transaction.atomic():
        last = (
            Run.objects.own_programs().filter(kind=kind).aggregate(most=Max("own_number"))["most"]
        )
        number = (last or 0) + 1
        run = Run.objects.create(kind=kind, own_number=number, created_at=now, **given)
        new_runs.enqueue_admission()
        if kind == Kind.INSTALL:
            trail.record("installed", kind="Python", name=fields["params"]["python"])
    return run
