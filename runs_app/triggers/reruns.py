"""Runs repeated as they were: the very version with the packages and the inputs of an earlier run."""

from datetime import datetime

from django.db import transaction

from runs_app.models import Run
from runs_app.new_runs import new_runs
from runs_app.states import Kind, Reason, Trigger
from runs_app.triggers import triggers
from scripts_app import limits
from scripts_app.environments import environments


def rerun(run: Run, *, trigger: Trigger, by: str, now: datetime) -> Run:
    """Queue a run with the code, packages and inputs of `run`, and today's limits. Raises Refused.

    Packages that are not built any more are built again from their lock, and the run waits for that.
    """
    why_not = refusal(run)
    if why_not or run.script is None:
        raise triggers.Refused(why_not, Reason.NONE)
    new_runs.check_free_space()
    assert run.environment
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
        environments.require(run.environment)
        triggers.store([repeated], now=now)
    return repeated


def refusal(run: Run) -> str:
    """Return why a run cannot be repeated as it was; "" where it can."""
    if run.script is None or run.script.deleted_at is not None:
        return f"{run} is not one of a script that is there."
    if run.version is None or (run.environment is None and run.started_at is None):
        return f"{run} never began, so there is nothing to repeat.\nhint: run the script"
    if run.environment is None:
        return f"The packages of {run} are not known any more.\nhint: restore {run.version}"
    if not environments.can_be_required(run.environment):
        return (
            f"The packages of {run} cannot be built again: its Python is gone.\n"
            f"hint: restore {run.version}, which asks for a Python that is there"
        )
    return ""
