"""What the end of a run says of its environment: that it is broken, or that it should be looked at."""

from datetime import datetime, timedelta

from django.db.models import Q

from runs_app.models import Run
from runs_app.states import Kind, Reason
from scripts_app.environments import health
from scripts_app.models import Environment

LOOK_AGAIN = timedelta(
    minutes=10
)  # a script that fails every second is no reason to look every second
UNCAUGHT = 1  # the exit code of a script that an exception ended, be it that a module is missing


def found(run: Run, reason: Reason, exit_code: object, *, now: datetime) -> str:
    """Return what is wrong with the environment of a run that did not start, and have it mended; else "".

    A run that an exception ended has its environment looked at soon: part of a package may be gone.
    """
    if run.kind != Kind.SCRIPT or run.environment_id is None:
        return ""
    if reason == Reason.COULD_NOT_START:
        return _rebuild(
            Environment.objects.defer("lock", "requirements").get(pk=run.environment_id), now
        )
    if reason == Reason.EXIT_CODE and exit_code == UNCAUGHT:
        due = Q(
            pk=run.environment_id, state=Environment.State.READY, checked_at__lt=now - LOOK_AGAIN
        )
        if Environment.objects.filter(due).exists():
            Environment.objects.filter(due).update(checked_at=None)
    return ""


def _rebuild(environment: Environment, now: datetime) -> str:
    fault = health.quick_check(environment)
    if fault and health.record_check(environment, fault, now=now):
        health.rebuild(environment)
    return fault
