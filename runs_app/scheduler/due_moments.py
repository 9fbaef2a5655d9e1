"""Due moments become rows: each gets a run, or the row that says why there is none; and each once."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from runs_app.execution import execution
from runs_app.models import Run
from runs_app.states import Reason, Status, Trigger
from runs_app.triggers import retries, triggers
from scripts_app.models import Schedule
from scripts_app.timing import rule

STALE_PERIODS = 3  # so many moments without a success are a fact worth keeping
BY_REPLACING = "schedule"  # whoever is cancelled for a newer run


@dataclass(frozen=True, kw_only=True)
class DueMoment:
    """A due moment, with those before it for which its row stands as well."""

    schedule: Schedule  # with its script
    due_at: datetime
    trigger: Trigger = Trigger.SCHEDULE
    coalesced: int = 0  # moments before it
    since: datetime | None = None  # the first of them
    is_backlog: bool = (
        False  # missed=all: not lost to the overlap with what else is owed, it waits for its turn
    )
    verdict: tuple[Status, Reason, str] | None = (
        None  # why it gets no run, where that is clear already
    )

    @property
    def facts(self) -> dict[str, Any]:
        """What its row says of it, whatever it comes to."""
        since = self.since if self.coalesced else None
        return {"due_at": self.due_at, "missed_count": self.coalesced, "missed_since": since}

    def without_run(self, status: Status, reason: Reason, message: str, *, now: datetime) -> Run:
        """The row that says why there is none."""
        return triggers.row_without_run(
            self.schedule, status, reason=reason, message=message, now=now, **self.facts
        )


def record(moments: Sequence[DueMoment], *, now: datetime) -> None:
    """Store what comes of moments, in their order, as part of the caller's transaction.

    Some queries for all of them. Only one schedule of each script may be among them.
    """
    if not moments:
        return
    served, active = _served(moments), _active(moments)
    unserved = [moment for moment in moments if (moment.schedule.pk, moment.due_at) not in served]
    triggers.store([_row(moment, active[moment.schedule.script_id], now) for moment in unserved])


def _served(moments: Sequence[DueMoment]) -> set[tuple[int | None, datetime | None]]:
    """(schedule, due moment) of those that have their row: the clock was set back since, or the service restarted."""
    due = {moment.due_at for moment in moments}
    rows = Run.objects.filter(
        schedule__in=[moment.schedule.pk for moment in moments], due_at__in=due
    )
    return set(rows.order_by().values_list("schedule_id", "due_at"))


def _active(moments: Sequence[DueMoment]) -> dict[int, list[Run]]:
    """The active runs of their scripts, newest first, by script."""
    found: dict[int, list[Run]] = defaultdict(list)
    scripts = [moment.schedule.script_id for moment in moments if moment.verdict is None]
    rows = Run.objects.filter(script__in=scripts).active().order_by("-pk")
    for run in rows.only("status", "script", "schedule", "not_before"):
        found[run.script_id or 0].append(run)
    return found


def _row(moment: DueMoment, active: list[Run], now: datetime) -> Run:
    """A run, or the row that says why there is none."""
    if moment.verdict:
        return moment.without_run(*moment.verdict, now=now)
    schedule = moment.schedule
    _note_staleness(schedule, moment.due_at)
    pending = [
        run
        for run in active
        if run.schedule_id == schedule.pk and run.not_before and run.not_before > now
    ]
    if pending:
        retries.supersede(schedule, now=now)
    others = [run for run in active if run not in pending]
    try:  # before the others are looked at: none is cancelled for a run that is refused
        run = triggers.prepare(
            schedule.script,
            trigger=moment.trigger,
            by="",
            schedule=schedule,
            params=schedule.params,
            now=now,
            **moment.facts,
        )
    except triggers.Refused as refusal:
        return moment.without_run(Status.SKIPPED, refusal.reason, str(refusal), now=now)
    if not moment.is_backlog and (why := _why_not(schedule, others, now)):
        return moment.without_run(Status.SKIPPED, Reason.OVERLAP, why, now=now)
    return run


def _why_not(schedule: Schedule, active: Sequence[Run], now: datetime) -> str:
    """What the runs that are there already mean for another one: a sentence when there will be none."""
    if not active or schedule.overlap == Schedule.Overlap.REPLACE:
        for run in active:
            execution.cancel_on_commit(run, by=BY_REPLACING, now=now)
        return ""
    if schedule.overlap == Schedule.Overlap.QUEUE_ONE:
        waiting = [run for run in active if run.status == Status.QUEUED]
        return f"Run #{waiting[0].pk} waits for its turn already." if waiting else ""
    if schedule.overlap == Schedule.Overlap.PARALLEL:
        most = schedule.max_parallel
        return (
            f"{len(active)} runs were still going, the most allowed." if len(active) >= most else ""
        )
    return f"Run #{active[0].pk} was still going."


def _note_staleness(schedule: Schedule, due: datetime) -> None:
    """Keep since when a schedule has gone too many moments without a success."""
    if schedule.stale_since is not None:
        return
    since = schedule.last_success_at or schedule.created_at
    if (
        rule.count_between(schedule.timing, since, due) > STALE_PERIODS
    ):  # the moment at hand has had no chance yet
        Schedule.objects.filter(pk=schedule.pk).update(stale_since=due)
