"""Due moments become rows: each moment gets a run, or the row that says why there is none; and each once."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from runs_app import hot_statements
from runs_app.execution import execution
from runs_app.hot_statements import RunBeside
from runs_app.models import Run
from runs_app.new_runs import new_runs, retries
from runs_app.states import Reason, Status, Trigger
from runs_app.triggers import triggers
from scripts_app.models import Schedule
from scripts_app.timing import rule

STALE_PERIODS = 3  # so many moments without a success are a fact worth keeping
BY_REPLACING = "schedule"  # whoever is cancelled for a newer run


@dataclass(frozen=True, kw_only=True)
class DueMoment:
    schedule: Schedule  # with its script
    due_at: datetime
    trigger: Trigger = Trigger.SCHEDULE
    coalesced: int = 0  # moments before it
    since: datetime | None = None  # the first of them
    # missed=all: not lost to the overlap with what else is owed, it waits for its turn.
    is_backlog: bool = False
    # Why it gets no run, where that is clear already.
    verdict: tuple[Status, Reason, str] | None = None

    @property
    def row_fields(self) -> dict[str, Any]:
        return {
            "due_at": self.due_at,
            "missed_count": self.coalesced,
            "missed_since": self.since if self.coalesced else None,
        }

    def without_run(
        self,
        status: Status,
        reason: Reason,
        message: str,
        *,
        now: datetime,
    ) -> Run:
        return new_runs.row_without_run(
            self.schedule,
            status,
            reason=reason,
            message=message,
            now=now,
            **self.row_fields,
        )


def record(
    moments: Sequence[DueMoment],
    *,
    now: datetime,
    may_begin: bool = False,
) -> None:
    """Store rows for moments, in their order and in the caller's transaction; no two may be of the same script.

    `may_begin`: see `triggers.store`.
    """
    if not moments:
        return
    recorded, active = _rows_beside(moments)
    rows = []
    for moment in moments:
        # Recorded already: the clock was set back since, or the service restarted.
        if (moment.schedule.pk, moment.due_at) not in recorded:
            rows.append(_row(moment, active[moment.schedule.script_id], now))
    triggers.store(rows, now=now, may_begin=may_begin)


def _rows_beside(
    moments: Sequence[DueMoment],
) -> tuple[set[tuple[int | None, datetime | None]], dict[int, list[RunBeside]]]:
    # (schedule, due moment) of rows that are there already, and by script the active runs, newest first.
    found = hot_statements.runs_beside(
        scripts={moment.schedule.script_id for moment in moments},
        schedules={moment.schedule.pk for moment in moments},
        due={moment.due_at for moment in moments},
    )
    recorded = {(run.schedule_id, run.due_at) for run in found}
    active: dict[int, list[RunBeside]] = defaultdict(list)
    for run in found:
        if run.is_active:
            active[run.script_id].append(run)
    return recorded, active


def _row(moment: DueMoment, active: list[RunBeside], now: datetime) -> Run:
    if moment.verdict:
        return moment.without_run(*moment.verdict, now=now)
    schedule = moment.schedule
    _note_staleness(schedule, moment.due_at)
    others = _supersede_pending(schedule, active, now)
    # Prepared before the others are looked at: none is cancelled for a run that is refused.
    try:
        run = new_runs.prepare(
            schedule.script,
            trigger=moment.trigger,
            by="",
            schedule=schedule,
            params=schedule.params,
            now=now,
            **moment.row_fields,
        )
    except new_runs.Refused as refusal:
        return moment.without_run(Status.SKIPPED, refusal.reason, str(refusal), now=now)
    if moment.is_backlog:
        return run
    overlap = _overlap_message(schedule, others)
    if overlap:
        return moment.without_run(Status.SKIPPED, Reason.OVERLAP, overlap, now=now)
    if schedule.overlap == Schedule.Overlap.REPLACE:
        for other in Run.objects.filter(pk__in=[other.pk for other in others]):
            execution.cancel_on_commit(other, by=BY_REPLACING, now=now)
    return run


def _supersede_pending(
    schedule: Schedule,
    active: list[RunBeside],
    now: datetime,
) -> list[RunBeside]:
    # End the tries of the schedule that wait for their moment; returns the other active runs.
    others = []
    for run in active:
        is_try = run.schedule_id == schedule.pk
        if not is_try or run.not_before is None or run.not_before <= now:
            others.append(run)
    if len(others) < len(active):
        retries.supersede(schedule, now=now)
    return others


def _overlap_message(schedule: Schedule, active: Sequence[RunBeside]) -> str:
    # Why there will be no other run beside those that are there already; "" when there will be.
    if not active or schedule.overlap == Schedule.Overlap.REPLACE:
        return ""
    if schedule.overlap == Schedule.Overlap.QUEUE_ONE:
        for run in active:
            if run.status == Status.QUEUED:
                return f"Run #{run.pk} waits for its turn already."
        return ""
    if schedule.overlap == Schedule.Overlap.PARALLEL:
        if len(active) < schedule.max_parallel:
            return ""
        going = f"{len(active)} runs were still going or waiting"
        return f"{going}, {schedule.max_parallel} may at once."
    return f"Run #{active[0].pk} was still going."


def _note_staleness(schedule: Schedule, due: datetime) -> None:
    # Keep since when a schedule has gone too many moments without a success.
    if schedule.stale_since is not None:
        return
    since = schedule.last_success_at or schedule.created_at
    passed = rule.count_between(schedule.timing, since, due)
    if passed > STALE_PERIODS:  # the moment at hand has had no chance yet
        Schedule.objects.filter(pk=schedule.pk).update(stale_since=due)
