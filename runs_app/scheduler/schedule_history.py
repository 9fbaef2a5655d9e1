"""The history of schedules: a row for each due moment, and the further tries of a failed run."""

from collections import defaultdict
from collections.abc import Collection

from django.db.models import Q

from runs_app.models import Run, RunQuerySet
from runs_app.states import LATE_MS, Reason
from scripts_app.models import Schedule, Script
from tempo_site.lib import humanize


def history_page(
    schedule: Schedule,
    *,
    before: int | None = None,
    limit: int = 50,
) -> list[Run]:
    """Return the rows of a schedule below id `before`, newest first, tries included, in a single query."""
    rows = _runs_of_script(schedule.script_id, before).filter(schedule=schedule)
    return list(rows[:limit])


def moments_page(
    script: Script,
    *,
    schedule: Schedule | None = None,
    before: int | None = None,
    limit: int = 20,
) -> list[Run]:
    """Return the due moments of a script's schedules, or of a single schedule, newest first, in a single query.

    Among them are the rows that say that a next moment was computed anew.
    """
    rows = _runs_of_script(script.pk, before).filter(schedule__isnull=False)
    rows = rows.filter(Q(due_at__isnull=False) | Q(reason=Reason.CLOCK))
    if schedule:
        rows = rows.filter(schedule=schedule)
    return list(rows[:limit])


def tries_of(runs: Collection[Run]) -> dict[int, list[Run]]:
    """Return the further tries of these first runs, oldest first, by the first run's id, in a single query."""
    found: dict[int, list[Run]] = defaultdict(list)
    if not runs:
        return {}
    first_runs = [run.pk for run in runs]
    tries = Run.objects.filter(parent__in=first_runs, attempt__gt=1)
    for run in tries.order_by("pk"):
        found[run.parent_id or 0].append(run)
    return dict(found)


def lateness(run: Run) -> str:
    """Return how late a due moment was served: `late by 3 h 12 min, 11 missed`; "" before the run begins."""
    if run.started_at is None or run.due_at is None or run.late_ms is None:
        return ""
    first_due_at = run.missed_since or run.due_at
    late_s = (run.started_at - first_due_at).total_seconds()
    words = "on time"
    if late_s * 1000 > LATE_MS:
        words = f"late by {humanize.span(late_s)}"
    if run.missed_count:
        words = f"{words}, {run.missed_count} missed"
    return words


def _runs_of_script(script_id: int, before: int | None) -> RunQuerySet:
    # There is an index in this order, and most of a script's rows are its schedules'.
    return Run.objects.filter(script=script_id).newest_first(before=before)
