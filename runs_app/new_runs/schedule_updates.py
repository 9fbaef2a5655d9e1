"""The meaning of a run's end for the schedule: a success, a run longer than the interval, another try."""

from datetime import datetime, timedelta

from runs_app import hot_statements
from runs_app.models import Run
from runs_app.new_runs import retries
from runs_app.states import Status
from scripts_app.timing import rule
from scripts_app.timing.rule import TimingError

MIN_INTERVAL = timedelta(seconds=1)


def note_end(run: Run, *, now: datetime) -> None:
    """Store success, overrun and next try, as part of the transaction in which the run ends."""
    if run.schedule_id is None:
        return
    if run.status in (Status.SKIPPED, Status.MISSED):
        return
    if run.status == Status.SUCCEEDED and run.finished_at is not None:
        hot_statements.note_success(run.schedule_id, at=run.finished_at)
    if run.finished_at is not None and outlasts_interval(run, at=run.finished_at):
        Run.objects.filter(pk=run.pk).update(overran=True)
        run.overran = True
    retries.queue_next_try(run, now=now)


def outlasts_interval(run: Run, *, at: datetime) -> bool:
    """Whether the next moment of a run's schedule came while the run was still going, looked at from `at`."""
    # Most runs are short and on time: moments are a second apart at least, so that their schedules need not be read.
    if run.due_at is None or run.started_at is None:
        return False
    if at - run.due_at < MIN_INTERVAL:
        return False
    if run.schedule is None:
        return False
    try:
        following = rule.next_after(run.schedule.timing, run.due_at)
    except TimingError:  # a row that was broken meanwhile
        return False
    return following is not None and at > following
