"""Makes a long history of a short one, by SQL: the same scripts, outcomes and durations, over 300 days."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.utils import timezone

from runs_app.figures import counting
from runs_app.history import retention_rules
from runs_app.history.retention_rules import RetentionChange
from runs_app.models import FailureGroup, Run
from runs_app.search import indexer
from tempo_site.lib import checkpoints, paths
from tests.benchmarks import search_filling

DAYS = 300
FAILURES = 5  # of each script, in turn
STORED = "%Y-%m-%d %H:%M:%f"
LOG = b"1764000000000 O F read 1,284 rows and wrote `archive/today.csv`\n" * 10
EXPLANATION = {
    "title": "KeyError: 'CHF'",
    "detail": "",
    "frame": {"file": "main.py", "line": 8, "function": "convert", "code": "return 1"},
    "kind": "exception",
    "hint": "",
    "actions": [],
    "last_line": "KeyError: 'CHF'",
    "fingerprint": "",
}
FAILED = "status IN ('failed', 'timed_out', 'lost') AND kind = 'script'"
TOGETHER = 10_000


def lengthen(total: int) -> None:
    """Make a history of so many runs of the one that is there: counted, and with an indexed log in the oldest tenth."""
    keep_all()
    with connection.cursor() as cursor:
        # It is thrown away if it is cut off.
        cursor.execute("PRAGMA synchronous = OFF")
        with transaction.atomic(), _without_indexes(cursor):
            _copy_runs(cursor, total, logs=total // 10)
        _group_failures(cursor)
    counting.BATCH = TOGETHER
    counting.count_all()
    _write_logs()
    indexer.BATCH = TOGETHER
    search_filling.index()
    checkpoints.close_database()


def keep_all() -> None:
    """Have retention delete nothing until it is told to."""
    limits = RetentionChange(days=36_500, runs=10_000_000, mb=1_000_000)
    retention_rules.save(limits, by="benchmark")


@contextmanager
def _without_indexes(cursor: CursorWrapper) -> Iterator[None]:
    cursor.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'runs_app_run' AND sql NOT NULL"
    )
    indexes = cursor.fetchall()
    for name, _ in indexes:
        cursor.execute(f'DROP INDEX "{name}"')
    yield
    for _, statement in indexes:
        cursor.execute(statement)


def _copy_runs(cursor: CursorWrapper, total: int, *, logs: int) -> None:
    """Put copies of the runs, in the order of their moments, in the place of the runs."""
    columns = [str(field.column) for field in Run._meta.concrete_fields]
    begun = _moment(total)
    changed = {
        "id": "number",
        "schedule_id": "NULL",
        "due_at": "NULL",
        "created_at": begun,
        "handed_over_at": begun,
        "archived_at": begun,
        "announced_at": begun,
        "started_at": f"CASE WHEN started_at IS NULL THEN NULL ELSE {begun} END",
        "finished_at": _moment(total, later="coalesce(duration_s, 0)"),
        "folder": f"CASE WHEN number <= {logs} THEN substr({begun}, 1, 7) || '/' || number || '-0badcafe' ELSE '' END",
        "log_bytes": f"{len(LOG)}",
        "explanation": f"CASE WHEN {FAILED} THEN %s END",
        "fingerprint": f"CASE WHEN {FAILED} THEN printf('%%016d', number %% {FAILURES}) END",
    }
    values = ", ".join(changed.get(column, column) for column in columns)
    cursor.execute("CREATE TEMP TABLE sample AS SELECT * FROM runs_app_run ORDER BY id")
    cursor.execute("DELETE FROM runs_app_run")
    cursor.execute(
        f"WITH RECURSIVE numbers(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < {total})"
        f" INSERT INTO runs_app_run ({', '.join(columns)})"
        f" SELECT {values} FROM numbers"
        " JOIN sample ON sample.rowid = 1 + (number - 1) %% (SELECT count(*) FROM sample)",
        [json.dumps(EXPLANATION)],
    )
    cursor.execute("DROP TABLE sample")


def _moment(total: int, *, later: str = "0") -> str:
    newest = timezone.now().timestamp() - 600
    step = DAYS * 86_400 / total
    stored = STORED.replace("%", "%%")
    return f"strftime('{stored}', {newest} - ({total} - number) * {step} + {later}, 'unixepoch')"


def _group_failures(cursor: CursorWrapper) -> None:
    cursor.execute(
        f"INSERT INTO {FailureGroup._meta.db_table} (script_id, fingerprint, kind, title, place, count,"
        " first_run, first_at, last_run, last_at, since_run)"
        " SELECT script_id, fingerprint, 'exception', 'KeyError', 'main.py', count(*), min(id), min(finished_at),"
        " max(id), max(finished_at), max(id) FROM runs_app_run WHERE fingerprint IS NOT NULL"
        " GROUP BY script_id, fingerprint"
    )


def _write_logs() -> None:
    for name in Run.objects.exclude(folder="").values_list("folder", flat=True):
        folder = paths.run_folder(name)
        folder.mkdir(parents=True)
        (folder / "output.log").write_bytes(LOG)
        (folder / "run.json").write_bytes(b"{}")


def lateness(slug: str) -> None:
    """Print how late the runs of a script began, the oldest first."""
    runs = Run.objects.filter(script__slug=slug, late_ms__isnull=False).order_by("pk")
    print(json.dumps(list(runs.values_list("late_ms", flat=True))))
