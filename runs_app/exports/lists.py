"""The other lists as rows of a file: scripts, schedules, failures, found lines, figures of scripts and of days."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from runs_app.exports.table import Table
from runs_app.failures.groups import FailureRow
from runs_app.figures.all_scripts import ScriptFigures
from runs_app.figures.reading import Days
from runs_app.history.overview import ListedScript
from runs_app.search import found_lines
from runs_app.search.query import Query
from runs_app.search.search import Results
from scripts_app.models import Schedule
from scripts_app.schedules import outlook

SCRIPTS = (
    *("slug", "name", "folder", "tags", "enabled", "next_at"),
    *("last_run", "last_status", "last_started_at", "median_s", "bad_in_a_row"),
)
SCHEDULES = (
    *("id", "script", "kind", "cron", "every_s", "at", "timezone", "description", "enabled"),
    *("next_at", "paused_until", "overlap", "missed", "retries", "last_success_at", "stale_since"),
)
FAILURES = (
    *("fingerprint", "title", "kind", "place", "script", "state", "count"),
    *("first_run", "first_at", "last_run", "last_at", "versions", "since", "also_in"),
)
FOUND_LINES = ("run", "script", "line", "at", "stream", "text")
FIGURES = (
    *("script", "name", "runs", "succeeded", "bad", "rate", "mean_s", "cpu_s", "peak_memory_mb"),
    *("kept_runs", "kept_bytes"),
)
DAYS = (
    *("day", "succeeded", "failed", "timed_out", "cancelled", "lost", "skipped", "missed"),
    *("median_s", "p95_s", "cpu_s", "memory_max_mb", "due", "late", "late_max_ms"),
)


def table_of_scripts(rows: Iterable[ListedScript]) -> Table:
    return Table(name="scripts", columns=SCRIPTS, rows=[_script(row) for row in rows])


def _script(row: ListedScript) -> dict[str, Any]:
    script, last = row.script, row.last_run
    return {
        "slug": script.slug,
        "name": script.name,
        "folder": script.folder.path if script.folder else "",
        "tags": script.tags,
        "enabled": script.enabled,
        "next_at": script.next_at,
        "last_run": last.pk if last else None,
        "last_status": last.status if last else "",
        "last_started_at": last.started_at if last else None,
        "median_s": row.strip.median_s,
        "bad_in_a_row": row.strip.bad_in_a_row,
    }


def table_of_schedules(*, now: datetime) -> Table:
    schedules = Schedule.objects.filter(script__deleted_at=None).order_by("script__slug", "pk")
    rows = [_schedule(schedule, now) for schedule in outlook.with_pause(schedules)]
    return Table(name="schedules", columns=SCHEDULES, rows=rows)


def _schedule(schedule: Schedule, now: datetime) -> dict[str, Any]:
    row = {name: getattr(schedule, name, None) for name in SCHEDULES}
    row["script"] = schedule.script.slug
    row["description"] = schedule.describe()
    row["next_at"] = outlook.next_start(schedule, now)
    return row


def table_of_failures(rows: Iterable[FailureRow]) -> Table:
    return Table(name="failures", columns=FAILURES, rows=[_failure(row) for row in rows])


def _failure(row: FailureRow) -> dict[str, Any]:
    fields = {name: getattr(row.group, name, None) for name in FAILURES}
    fields["script"] = row.group.script.slug
    fields["state"] = row.state
    fields["versions"] = row.versions
    fields["since"] = row.since
    fields["also_in"] = [script.slug for script in row.others]
    return fields


def table_of_found_lines(results: Results, asked: Query) -> Table:
    """Return the lines that were found; a last row says it where not all output was searched."""
    rows = [found_lines.as_json(hit, asked) for hit in results.hits]
    if not results.is_complete:
        sentence = found_lines.searched(results)
        rows.append({**dict.fromkeys(FOUND_LINES), "text": sentence})
    return Table(name="search", columns=FOUND_LINES, rows=rows)


def table_of_figures(rows: Iterable[ScriptFigures]) -> Table:
    return Table(name="statistics", columns=FIGURES, rows=[row.as_json() for row in rows])


def table_of_days(days: Days, *, name: str) -> Table:
    """Return what the runs of a script add up to by day, the oldest first."""
    rows = []
    for day, tally in days.items():
        row = {column: getattr(tally, column, None) for column in DAYS}
        rows.append({**row, "day": day})
    return Table(name=name, columns=DAYS, rows=rows)
