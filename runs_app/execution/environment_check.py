"""The end of a run as a sign that the environment is broken, or should be looked at."""

from datetime import datetime, timedelta

from runs_app.models import Run
from runs_app.states import Kind, Reason
from scripts_app.environments import health
from scripts_app.models import Environment

# A script that fails every second is no reason to look every second.
LOOK_AGAIN = timedelta(minutes=10)
UNCAUGHT = 1  # the exit code of a script that an exception ended, be it that a module is missing


def check_after_run(
    run: Run,
    reason: Reason,
    exit_code: object,
    *,
    now: datetime,
) -> str:
    """Return the fault of the environment of a run that did not start, and have it rebuilt; "" without a fault."""
    if run.kind != Kind.SCRIPT or run.environment_id is None:
        return ""
    if reason == Reason.COULD_NOT_START:
        rows = Environment.objects.defer("lock", "requirements")
        return _rebuild_if_broken(rows.get(pk=run.environment_id), now)
    if reason == Reason.EXIT_CODE and exit_code == UNCAUGHT:
        _ask_for_check(run.environment_id, now)
    return ""


def _ask_for_check(environment_id: int, now: datetime) -> None:
    # Part of a package may be gone: the environment is looked at soon. Most often there is nothing to write.
    unchecked = Environment.objects.filter(
        pk=environment_id,
        state=Environment.State.READY,
        checked_at__lt=now - LOOK_AGAIN,
    )
    if unchecked.exists():
        unchecked.update(checked_at=None)


def _rebuild_if_broken(environment: Environment, now: datetime) -> str:
    fault = health.quick_check(environment)
    if fault and health.record_check(environment, fault, now=now):
        health.rebuild_broken(environment)
    return fault
