"""Queued runs that nobody wants any more are cancelled, with what was deleted or disabled as the reason."""

from datetime import datetime

from django.db.models import Case, Exists, IntegerField, OuterRef, Value, When

from runs_app import hot_statements
from runs_app.admission import admission
from runs_app.execution import finish
from runs_app.models import Run
from runs_app.programs import wait_conditions
from runs_app.states import Kind, Reason, Status
from scripts_app.environments import environments

# The first that holds is told.
WHY = (
    (wait_conditions.SCRIPT_DELETED, Reason.DELETED, "Its script was deleted."),
    (wait_conditions.SCHEDULE_DELETED, Reason.DELETED, "Its schedule was deleted."),
    (wait_conditions.SCRIPT_DISABLED, Reason.DISABLED, "Its script was disabled."),
    (wait_conditions.SCHEDULE_DISABLED, Reason.DISABLED, "Its schedule was disabled."),
)
MAX_AT_ONCE = 500
NOT_NEEDED = "No script needs the environment any more."


def cancel_unwanted(*, now: datetime) -> int:
    """Cancel the queued runs of what was deleted or disabled, and builds that no script needs; return how many."""
    if not hot_statements.what_waits().has_runs:
        return 0  # as nearly always: the queries below cost 7 ms to put together
    cases = [When(holds, then=Value(number)) for number, (holds, _, _) in enumerate(WHY)]
    rows = admission.queued(Kind.SCRIPT).filter(wait_conditions.NOT_WANTED)
    count = 0
    numbers = rows.values_list("pk", Case(*cases, output_field=IntegerField()))
    why = dict(numbers[:MAX_AT_ONCE])
    for run in Run.objects.filter(pk__in=why):
        _, reason, message = WHY[why[run.pk]]
        count += _cancel(run, reason, message, now)
    needed = environments.needed(of_runs=Run.objects.awaited_environments())
    needed = needed.filter(pk=OuterRef("environment"))
    builds = admission.queued(Kind.BUILD).exclude(environment=None)
    for run in builds.filter(~Exists(needed)):
        count += _cancel(run, Reason.NOT_WANTED, NOT_NEEDED, now)
    return count


def _cancel(run: Run, reason: Reason, message: str, now: datetime) -> bool:
    return finish.end(
        run,
        Status.CANCELLED,
        only=Status.QUEUED,
        now=now,
        reason=reason,
        message=message,
    )
