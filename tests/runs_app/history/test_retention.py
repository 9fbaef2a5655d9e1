"""Retention: which finished runs go, and which stay."""

import errno
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.models.fields.reverse_related import ForeignObjectRel
from django.utils import timezone
from django_q.models import Failure
from django_q.models import Schedule as Housekeeping
from pytest_django import Settings

from runs_app import tasks
from runs_app.engine import housekeeping
from runs_app.figures import counting
from runs_app.history import retention
from runs_app.models import Run
from runs_app.states import Kind, Reason, Status, Trigger
from scripts_app.models import Environment
from tempo_site.lib import paths
from tests.factories import NOW, make_run, make_script
from tests.runs_app.history.finished_runs import ended

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def test_old_runs_go_with_their_folders(settings: Settings) -> None:
    settings.KEEP_DAYS = 30
    _, folder = ended(1, created_at=NOW - 31 * DAY)
    young, kept = ended(2, created_at=NOW - 29 * DAY)
    assert retention.prune(now=NOW) == 1
    assert list(Run.objects.all()) == [young]
    assert (folder.exists(), kept.exists()) == (False, True)


def test_each_script_keeps_its_newest(settings: Settings) -> None:
    settings.KEEP_RUNS = 2
    script, other = make_script(), make_script("Other")
    kept = [make_run(other, status=Status.SUCCEEDED, created_at=NOW)]
    runs = [make_run(script, status=Status.SUCCEEDED, created_at=NOW) for _ in range(5)]
    assert retention.prune(now=NOW) == 3
    assert set(Run.objects.all()) == {*kept, *runs[3:]}


def test_a_turn_is_bounded_and_the_next_one_follows_soon(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "MAX_A_TURN", 3)
    settings.KEEP_RUNS = 1
    script, other = make_script(), make_script("Other")
    for _ in range(3):
        make_run(script, status=Status.SUCCEEDED, created_at=timezone.now())
        make_run(other, status=Status.SUCCEEDED, created_at=timezone.now())
    housekeeping.ensure_schedules(now=timezone.now())
    row = Housekeeping.objects.filter(name="retention")
    row.update(next_run=timezone.now() + DAY)
    tasks.prune()
    assert (Run.objects.count(), row.get().next_run <= timezone.now()) == (3, True)
    row.update(next_run=timezone.now() + DAY)
    tasks.prune()
    assert (Run.objects.count(), row.get().next_run > timezone.now()) == (2, True)


def test_a_turn_on_a_slow_disk_is_bounded_by_time(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.KEEP_RUNS = 1
    script = make_script()
    for _ in range(3):
        make_run(script, status=Status.SUCCEEDED, created_at=timezone.now())
    housekeeping.ensure_schedules(now=timezone.now())
    row = Housekeeping.objects.filter(name="retention")
    row.update(next_run=timezone.now() + DAY)
    monkeypatch.setattr(retention, "TURN_S", 0.0)
    tasks.prune()
    assert (Run.objects.count(), row.get().next_run <= timezone.now()) == (3, True)


def test_a_run_that_the_other_worker_deleted_is_not_forgotten_twice(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.KEEP_RUNS = 1
    script = make_script()
    runs = [ended(number, script=script, log_bytes=10)[0] for number in (1, 2)]
    remove = retention._remove_folder

    def remove_slowly(name: str) -> None:
        remove(name)
        monkeypatch.setattr(retention, "_remove_folder", remove)
        retention.prune(now=NOW)

    monkeypatch.setattr(retention, "_remove_folder", remove_slowly)
    retention.prune(now=NOW)
    assert list(Run.objects.all()) == [runs[1]]
    assert counting.kept_bytes() == 10


def test_builds_count_together(settings: Settings) -> None:
    settings.KEEP_RUNS = 1
    environments = [
        Environment.objects.create(python="3.12.1", interpreter=f"/p{number}")
        for number in range(3)
    ]
    builds = [
        make_run(
            kind=Kind.BUILD,
            trigger=Trigger.BUILD,
            environment=row,
            status=Status.SUCCEEDED,
            created_at=NOW,
        )
        for row in environments
    ]
    retention.prune(now=NOW)
    assert list(Run.objects.all()) == builds[-1:]


def test_the_oldest_logs_go_until_the_rest_fits(settings: Settings) -> None:
    settings.KEEP_MB = 2
    runs = [ended(number, created_at=NOW, log_bytes=2**20) for number in range(1, 5)]
    assert retention.prune(now=NOW) == 2
    assert [folder.exists() for _, folder in runs] == [False, False, True, True]


@pytest.mark.parametrize("status", [Status.FAILED, Status.TIMED_OUT, Status.LOST])
def test_the_last_failure_of_a_script_stays_whatever_its_age(
    status: Status, settings: Settings
) -> None:
    settings.KEEP_DAYS, settings.KEEP_RUNS, settings.KEEP_MB = 1, 1, 0
    script = make_script()
    ended(1, script=script, status=status, created_at=NOW - 90 * DAY)
    last, folder = ended(2, script=script, status=status, created_at=NOW - 80 * DAY)
    for number in (3, 4):
        ended(number, script=script, created_at=NOW - 70 * DAY)
    retention.prune(now=NOW)
    assert (list(Run.objects.all()), folder.exists()) == ([last], True)


@pytest.mark.parametrize("status", [Status.QUEUED, Status.STARTING, Status.RUNNING])
def test_an_active_run_is_never_touched(status: Status, settings: Settings) -> None:
    settings.KEEP_DAYS, settings.KEEP_RUNS, settings.KEEP_MB = 1, 1, 0
    script = make_script()
    active, folder = ended(
        1, script=script, status=status, finished_at=None, created_at=NOW - 90 * DAY
    )
    ended(2, script=script, created_at=NOW - 90 * DAY)
    ended(3, script=script, created_at=NOW - 90 * DAY)
    retention.prune(now=NOW)
    assert (list(Run.objects.all()), folder.exists()) == ([active], True)


def test_no_transaction_of_retention_writes_many_rows(settings: Settings) -> None:
    # A due moment waits for the end of the one that it meets.
    settings.KEEP_RUNS = 1
    run = make_run(make_script(), status=Status.SUCCEEDED, created_at=NOW, finished_at=NOW)
    fields = {field.attname: getattr(run, field.attname) for field in Run._meta.concrete_fields[1:]}
    Run.objects.bulk_create(Run(**fields) for _ in range(2 * retention.BATCH))
    counting.count_all()
    deleted, written = [0], [0]  # a number for each transaction

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        if sql.startswith("SAVEPOINT"):
            deleted.append(0)
            written.append(0)
        elif sql.startswith('DELETE FROM "runs_app_run" '):
            deleted[-1] += context["cursor"].rowcount
        elif sql.lstrip().startswith(("INSERT", "UPDATE", "DELETE")):
            written[-1] += context["cursor"].rowcount
        return result

    with connection.execute_wrapper(note):
        assert retention.prune(now=NOW) == 2 * retention.BATCH
    assert [count for count in deleted if count] == [50, 50]
    assert max(written) <= 2 * 50  # the figures of its script and of all, for each run


def test_rows_without_a_folder_go_too(settings: Settings) -> None:
    settings.KEEP_DAYS = 30
    make_run(
        make_script(), status=Status.MISSED, reason=Reason.SERVICE_DOWN, created_at=NOW - 31 * DAY
    )
    assert (retention.prune(now=NOW), Run.objects.count()) == (1, 0)


def test_an_empty_month_goes_with_its_last_run(settings: Settings) -> None:
    settings.KEEP_DAYS = 30
    ended(created_at=NOW - 31 * DAY)
    retention.prune(
        now=NOW + 9 * DAY
    )  # in December; in the current month a run's folder may be about to be made
    assert list(paths.runs().iterdir()) == []


def test_what_is_younger_and_fits_is_left_alone() -> None:
    ended(created_at=NOW - DAY)
    assert (retention.prune(now=NOW), Run.objects.count()) == (0, 1)


def test_a_run_whose_folder_cannot_be_removed_keeps_no_other_from_going(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.KEEP_DAYS = 30
    stuck, _ = ended(1, created_at=NOW - 31 * DAY)
    ended(2, created_at=NOW - 31 * DAY)
    honest = shutil.rmtree

    def rmtree(path: Path) -> None:
        if path == paths.run_folder(stuck.folder):
            raise PermissionError(
                errno.EPERM, "Operation not permitted"
            )  # and no launcher is there to help
        honest(path)

    monkeypatch.setattr(shutil, "rmtree", rmtree)
    retention.prune(now=NOW)
    assert list(Run.objects.all()) == [stuck]


def test_what_q2_failed_at_long_ago_is_forgotten(settings: Settings) -> None:
    settings.KEEP_DAYS = 30
    for identity, stopped in (("old", NOW - 31 * DAY), ("young", NOW)):
        Failure.objects.create(
            id=identity, name=identity, func="f", started=stopped, stopped=stopped, success=False
        )
    retention.prune(now=NOW)
    assert [failure.id for failure in Failure.objects.all()] == ["young"]


def test_what_refers_to_a_run_is_found_by_an_index() -> None:
    # Else the database reads all of it for each run that is deleted, within the write lock.
    fields = Run._meta.get_fields(include_hidden=True)
    columns = [
        (field.related_model._meta.db_table, field.field.column)
        for field in fields
        if isinstance(field, ForeignObjectRel)
    ]
    assert len(columns) == 4
    for table, column in columns:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN SELECT 1 FROM {table} WHERE {column} = 1")
            assert "USING" in cursor.fetchone()[3], f"{table}.{column}"
