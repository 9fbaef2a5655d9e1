"""Runs as rows of a file."""

from collections.abc import Iterable
from typing import Any

from runs_app.exports.table import Table
from runs_app.models import Run

COLUMNS = (
    "id",
    "script",
    "version",
    "status",
    "reason",
    "message",
    "trigger",
    "by",
    "due_at",
    "created_at",
    "started_at",
    "finished_at",
    "late_ms",
    "duration_s",
    "cpu_s",
    "peak_memory_mb",
    "exit_code",
    "output_bytes",
)


def table_of_runs(runs: Iterable[Run], *, next_cursor: str = "") -> Table:
    rows = [_row(run) for run in runs]
    return Table(name="runs", columns=COLUMNS, rows=rows, next_cursor=next_cursor)


def _row(run: Run) -> dict[str, Any]:
    row = {name: getattr(run, name, None) for name in COLUMNS}
    row["script"] = run.script.slug if run.script else None
    row["version"] = run.version.number if run.version else None
    row["message"] = run.why
    return row
