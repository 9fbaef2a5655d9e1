"""The ledger: what became of each due moment of a schedule, a row a moment, and the further tries of a failed one."""

from collections import defaultdict
from collections.abc import Collection

from runs_app.models import LATE_MS, Run, RunQuerySet
from scripts_app.models import Schedule, Script
from tempo_site.lib import humanize


def history_page(schedule: Schedule, *, before: int | None = None, limit: int = 50) -> list[Run]:
    """Return the rows of a schedule below id `before`, newest first, tries included. One query, whatever the size."""
    return list(_of_script(schedule.script_id, before).filter(schedule=schedule)[:limit])


def moments_page(
    script: Script, *, schedule: Schedule | None = None, before: int | None = None, limit: int = 20
) -> list[Run]:
    """Return the due moments of a script's schedules, or of one of them, newest first. One query."""
    rows = _of_script(script.pk, before).filter(schedule__isnull=False, due_at__isnull=False)
    return list((rows.filter(schedule=schedule) if schedule else rows)[:limit])


def tries_of(runs: Collection[Run]) -> dict[int, list[Run]]:
    """Return the further tries of these first ones, oldest first, by the first one's id. One query."""
    found: dict[int, list[Run]] = defaultdict(list)
    first = [run.pk for run in runs]
    for run in Run.objects.filter(parent__in=first, attempt__gt=1).order_by("pk") if first else ():
        found[run.parent_id or 0].append(run)
    return dict(found)


def lateness(run: Run) -> str:
    """Return how late a due moment was served: `late by 3 h 12 min, 11 missed`; "" for what has not begun."""
    if run.started_at is None or run.due_at is None or run.late_ms is None:
        return ""
    missed = f", {run.missed_count} missed" if run.missed_count else ""
    late_s = (run.started_at - (run.missed_since or run.due_at)).total_seconds()
    return (
        f"late by {humanize.span(late_s)}{missed}"
        if late_s * 1000 > LATE_MS
        else f"on time{missed}"
    )


def _of_script(script_id: int, before: int | None) -> RunQuerySet:
    """Its runs, newest first: there is an index in that order, and most of a script's rows are its schedules'."""
    return Run.objects.filter(script=script_id).newest_first(before=before)
