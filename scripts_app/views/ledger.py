"""The ledger on a script's Schedule tab: what became of its schedules' due moments, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict

from runs_app.models import Run
from runs_app.scheduler import schedule_history
from scripts_app.models import Schedule, Script

ROWS = 20
MAX_ID_DIGITS = 18  # digits, so that it fits the database's integers


@dataclass(frozen=True, kw_only=True)
class HistoryRow:
    """A due moment: the run it got, or the row that says why there was none, and the further tries."""

    run: Run
    schedule: Schedule
    lateness: str
    tries: list[Run]


def card(script: Script, schedules: Sequence[Schedule], query: QueryDict) -> dict[str, Any]:
    """What the template needs: a page of all these schedules, or of the one that `?schedule=` names."""
    by_id = {schedule.pk: schedule for schedule in schedules}
    chosen, before = by_id.get(number(query, "schedule")), number(query, "before")
    found = schedule_history.moments_page(
        script, schedule=chosen, before=before or None, limit=ROWS + 1
    )
    runs = [
        run for run in found[:ROWS] if run.schedule_id in by_id
    ]  # one may have been added since
    tries = schedule_history.tries_of(runs)
    return {
        "ledger": [row(run, by_id[run.schedule_id or 0], tries.get(run.pk, [])) for run in runs],
        "ledger_of": chosen,
        "ledger_before": before,
        "ledger_older": found[ROWS - 1].pk if len(found) > ROWS else None,
        "is_of_many": len(by_id) > 1 and chosen is None,
    }


def row(run: Run, schedule: Schedule, tries: list[Run]) -> HistoryRow:
    """A due moment with its words."""
    return HistoryRow(
        run=run, schedule=schedule, lateness=schedule_history.lateness(run), tries=tries
    )


def number(query: QueryDict, name: str) -> int:
    """A row's id in the query string; 0 without one that could be."""
    text = query.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= MAX_ID_DIGITS else 0
