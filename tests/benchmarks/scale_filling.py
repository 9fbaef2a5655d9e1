"""Makes a long history of a short one, by SQL: the same scripts, outcomes and durations, over 300 days."""

import json
import secrets
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from runs_app.figures import counting
from runs_app.history import retention_rules
from runs_app.history.retention_rules import Change
from runs_app.models import FailureGroup, Run
from tempo_site.lib import paths

DAYS = 300
FAILURES = 5  # of each script, in turn
STORED = "%Y-%m-%d %H:%M:%f"
LOG = "1764000000000 O F read 1,284 rows and wrote `archive/today.csv`\n" * 10


def lengthen(total: int) -> None:
    """Copy the runs that are there until there are `total`, in the order of their moments."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE runs_app_run SET schedule_id = NULL, due_at = NULL")
        count = Run.objects.count()
        columns = [str(field.column) for field in Run._meta.concrete_fields[1:]]
        names = ", ".join(columns)
        for first in range(count, total, count):
            cursor.execute(
                f"INSERT INTO runs_app_run (id, {names})"
                f" SELECT id + %s, {names} FROM runs_app_run WHERE id <= %s AND id + %s <= %s",
                [first, count, first, total],
            )
        _spread(cursor, total)
    explain_failures()


def _spread(cursor: Any, total: int) -> None:
    now = timezone.now().timestamp() - 600
    step = DAYS * 86_400 / total
    begun = f"strftime('{STORED}', {now} - ({total} - id) * {step}, 'unixepoch')"
    ended = f"strftime('{STORED}', {now} - ({total} - id) * {step} + coalesce(duration_s, 0), 'unixepoch')"
    cursor.execute(
        f"UPDATE runs_app_run SET created_at = {begun}, archived_at = {begun}, announced_at = {begun},"
        f" handed_over_at = {begun}, finished_at = {ended},"
        f" started_at = CASE WHEN started_at IS NULL THEN NULL ELSE {begun} END"
    )


def explain_failures() -> None:
    """Give failed runs an explanation and a group each."""
    explanation = {
        "title": "KeyError: 'CHF'",
        "detail": "",
        "frame": {"file": "main.py", "line": 8, "function": "convert", "code": "return 1"},
        "kind": "exception",
        "hint": "",
        "actions": [],
        "last_line": "KeyError: 'CHF'",
        "fingerprint": "",
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE runs_app_run SET fingerprint = printf('%%016d', id %% %s), explanation = %s"
            " WHERE status IN ('failed', 'timed_out', 'lost') AND kind = 'script'",
            [FAILURES, json.dumps(explanation)],
        )
        cursor.execute(
            f"INSERT INTO {FailureGroup._meta.db_table} (script_id, fingerprint, kind, title, place, count,"
            " first_run, first_at, last_run, last_at, since_run)"
            " SELECT script_id, fingerprint, 'exception', 'KeyError', 'main.py', count(*), min(id), min(finished_at),"
            " max(id), max(finished_at), max(id) FROM runs_app_run WHERE fingerprint IS NOT NULL"
            " GROUP BY script_id, fingerprint"
        )


def count_all() -> None:
    counting.count_all()


def keep_all() -> None:
    """Have retention delete nothing until it is told to."""
    limits = Change(days=36_500, runs=10_000_000, mb=1_000_000)
    retention_rules.save(limits, by="benchmark")


def lateness(slug: str) -> None:
    """Print how late the runs of a script began, the oldest first."""
    runs = Run.objects.filter(script__slug=slug, late_ms__isnull=False).order_by("pk")
    print(json.dumps(list(runs.values_list("late_ms", flat=True))))


def write_logs(first: int, last: int) -> None:
    """Give these runs a folder with a small log each."""
    runs = []
    for run in Run.objects.filter(pk__gte=first, pk__lt=last).only("pk", "created_at"):
        run.folder = f"{paths.month(run.created_at)}/{run.pk}-{secrets.token_hex(4)}"
        folder = paths.run_folder(run.folder)
        folder.mkdir(parents=True)
        (folder / "output.log").write_text(LOG)
        (folder / "run.json").write_text("{}")
        run.log_bytes = len(LOG)
        runs.append(run)
    Run.objects.bulk_update(runs, ["folder", "log_bytes"], batch_size=500)
