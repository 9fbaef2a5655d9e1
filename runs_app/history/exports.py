"""Runs as rows of a file: the same columns in CSV and in JSON."""

import csv
import io
from collections.abc import Iterable
from typing import Any

from runs_app.models import Run

FORMULA_BEGINS = ("=", "+", "-", "@", "\t", "\r")

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


def as_json(run: Run) -> dict[str, Any]:
    row = {name: getattr(run, name, None) for name in COLUMNS}
    row["script"] = run.script.slug if run.script else None
    row["version"] = run.version.number if run.version else None
    row["message"] = run.why
    return row


def file_name(count: int, *, is_whole: bool, suffix: str) -> str:
    """Return `runs.csv`, or `runs-10000-of-more.csv` for a part of a list."""
    if is_whole:
        return f"runs.{suffix}"
    return f"runs-{count}-of-more.{suffix}"


def as_csv(runs: Iterable[Run]) -> str:
    """Return a table of which no cell is a formula."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    for run in runs:
        writer.writerow([_cell(value) for value in as_json(run).values()])
    return file.getvalue()


def _cell(value: object) -> object:
    # Programs that show tables run what begins like a formula. A number is none.
    if isinstance(value, str) and value.startswith(FORMULA_BEGINS):
        return f"'{value}"
    return "" if value is None else value
