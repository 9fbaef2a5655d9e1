"""Runs repeated as they were: the very version with the packages and the inputs of an earlier run."""

from datetime import datetime

from django.db import transaction

from runs_app.models import Run
from runs_app.new_runs import new_runs
from runs_app.states import Kind, Reason, Trigger
from runs_app.triggers import triggers
from scripts_app import limits
from tempo_site.audit import trail


def rerun(run: Run, *, trigger: Trigger, by: str, now: datetime) -> Run:
    """Queue a run with the code, packages and inputs of `run`, and today's limits. Raises Refused."""
    why_not = refusal(run)
    if why_not or run.script is None:
        raise triggers.Refused(why_not, Reason.NONE)
    new_runs.check_free_space()
    bounds = limits.limits_of_script(run.script)
    repeated = Run(
        kind=Kind.SCRIPT,
        script=run.script,
        version=run.version,
        environment=run.environment,
        trigger=trigger,
        by=by,
        timeout_s=bounds["timeout_s"],
        memory_mb=bounds["memory_mb"],
        params=run.params,
        created_at=now,
    )
    with transaction.atomic():
        triggers.store([repeated], now=now)
        name = f"{repeated} of {run.script.slug}"
        trail.record("started", repeated, name=name, changes={"repeats": str(run)})
    return repeated


def refusal(run: Run) -> str:
    """Return why a run cannot be repeated as it was; "" where it can."""
    if run.script is None or run.script.deleted_at is not None:
        return f"{run} is not one of a script that is there."
    if run.version is None or run.environment is None:
        return f"{run} never began, so there is nothing to repeat.\nhint: run the script"
    if not run.environment.is_ready or run.environment.fault:
        return (
            f"The packages of {run} are not built any more.\n"
            f"hint: restore {run.version}, which builds them again"
        )
    return ""
