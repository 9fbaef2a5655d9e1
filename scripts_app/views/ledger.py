"""The ledger on a script's Schedule tab: the due moments of the schedules and their outcomes, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from django.http import QueryDict

from runs_app.models import Run
from runs_app.scheduler import schedule_history
from scripts_app.models import Schedule, Script
from scripts_app.views.query_string import mark_of_older, number_in

PAGE = 20


@dataclass(frozen=True, kw_only=True)
class HistoryRow:
    """A due moment: the run for the moment, or the row that says why there was no run, and the further tries."""

    run: Run
    at: datetime  # when it was due; of a next moment that was computed anew, when that was
    schedule: Schedule
    lateness: str
    tries: list[Run]


class LedgerContext(TypedDict):
    ledger: list[HistoryRow]
    ledger_of: Schedule | None
    ledger_before: int
    ledger_older: int | None
    is_of_many: bool


def ledger_context(
    script: Script, schedules: Sequence[Schedule], query: QueryDict
) -> LedgerContext:
    by_id = {schedule.pk: schedule for schedule in schedules}
    chosen = by_id.get(number_in(query, "schedule"))
    before = number_in(query, "before")
    found = schedule_history.moments_page(
        script, schedule=chosen, before=before or None, limit=PAGE + 1
    )
    # A schedule may have been added since the schedules were read.
    runs = [run for run in found[:PAGE] if run.schedule_id in by_id]
    tries = schedule_history.tries_of(runs)
    rows = []
    for run in runs:
        row = HistoryRow(
            run=run,
            at=run.due_at or run.created_at,
            schedule=by_id[run.schedule_id or 0],
            lateness=schedule_history.lateness(run),
            tries=tries.get(run.pk, []),
        )
        rows.append(row)
    return {
        "ledger": rows,
        "ledger_of": chosen,
        "ledger_before": before,
        "ledger_older": mark_of_older(found, PAGE),
        "is_of_many": len(by_id) > 1 and chosen is None,
    }
