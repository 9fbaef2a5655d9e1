"""History: pages, and the archiving of finished folders."""

import errno
import json
import os
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries

from runs_app.history import history, run_filters
from runs_app.history.run_filters import RunFilter, Scan
from runs_app.launcher import files
from runs_app.models import Run
from runs_app.states import Kind, Reason, Status, Trigger
from scripts_app.models import Environment, Folder, Script
from tests.factories import make_run, make_schedule, make_script
from tests.runs_app.history.finished_runs import EXIT, ended

pytestmark = pytest.mark.django_db
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def names(folder: Path) -> set[str]:
    """What lies in a folder."""
    return {entry.name for entry in folder.iterdir()}


def archived(folder: Path) -> dict[str, Any]:
    """The content of an archived run's `run.json`."""
    content = json.loads((folder / "run.json").read_bytes())
    assert isinstance(content, dict)
    return content


# --- pages -----------------------------------------------------------------------------------------------------------
def test_a_page_shows_the_newest_first() -> None:
    runs = [make_run(make_script()) for _ in range(3)]
    assert history.page(limit=2) == [runs[2], runs[1]]


def test_the_next_page_goes_on_below_the_last_run_of_this_one() -> None:
    script = make_script()
    runs = [make_run(script) for _ in range(5)]
    first = history.page(limit=2)
    make_run(script)  # a newcomer moves nothing
    assert history.page(limit=2, before=first[-1].pk) == [runs[2], runs[1]]


def test_pages_filter_by_script_and_status_together() -> None:
    script, other = make_script(), make_script("Other")
    wanted = make_run(script, status=Status.FAILED)
    make_run(script, status=Status.SUCCEEDED)
    make_run(other, status=Status.FAILED)
    assert history.page(script=script.slug, status=Status.FAILED) == [wanted]


def test_pages_of_several_statuses_are_in_order_and_sort_no_history() -> None:
    script = make_script()
    ends = [Status.FAILED, Status.LOST, Status.SUCCEEDED, Status.TIMED_OUT, Status.FAILED]
    runs = [make_run(script, status=status) for status in ends]
    with CaptureQueriesContext(connection) as queries:
        assert history.page(status=history.BAD, limit=3) == [runs[4], runs[3], runs[1]]
    assert history.page(status=history.BAD, before=runs[3].pk) == [runs[1], runs[0]]
    plans = []
    for query in queries:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
            plans += [row[3] for row in cursor.fetchall()]
    assert not [step for step in plans if "TEMP B-TREE" in step or step.startswith("SCAN")]


def test_a_page_of_some_scripts_reads_no_more_for_a_long_history() -> None:
    scripts = [make_script(), make_script("Other")]
    make_run(make_script("Not asked for"))
    asked_for = [script.pk for script in scripts]
    make_runs(scripts, 20)
    few = steps_of_page(scripts=asked_for)
    make_runs(scripts, 400)
    assert steps_of_page(scripts=asked_for) < 1.1 * few
    newest = Run.objects.filter(script__in=asked_for).order_by("-pk")
    assert history.page(scripts=asked_for, limit=5) == list(newest[:5])
    assert history.page(scripts=asked_for, limit=5, before=newest[7].pk) == list(newest[8:13])
    failed = make_run(scripts[0], status=Status.FAILED)
    assert history.page(scripts=asked_for, status=Status.FAILED) == [failed]
    assert history.page(scripts=[]) == []


@pytest.mark.parametrize(
    "chosen",
    [
        RunFilter(reason=Reason.OUTPUT),
        RunFilter(reason=Reason.OUTPUT, folder="Ops"),
        RunFilter(min_s=60.0),
        RunFilter(min_s=60.0, folder="Ops"),
        RunFilter(version=99),
        RunFilter(script="hello-world", status=Status.FAILED),
        RunFilter(folder="Ops", status=Status.FAILED),
        RunFilter(script="hello-world", status="bad"),
        RunFilter(folder="Ops", status="bad"),
    ],
)
def test_what_is_rare_is_found_without_a_walk_through_the_history(chosen: RunFilter) -> None:
    script = make_script()
    script.folder = Folder.objects.create(path="Ops")
    script.save(update_fields=["folder"])
    rare = make_run(script, status=Status.FAILED, reason=Reason.OUTPUT, duration_s=90.0)
    make_runs([script], 20)
    few = steps_of_page(chosen.page)
    make_runs([script], 400)
    assert steps_of_page(chosen.page) < 1.1 * few + 2
    assert chosen.page(limit=10) == ([] if chosen.version else [rare])


@pytest.mark.parametrize(
    "chosen",
    [
        RunFilter(trigger="url"),
        RunFilter(max_s=1.0),
        RunFilter(min_s=0.5),
        RunFilter(until=LONG_AGO),
    ],
)
def test_what_no_index_leads_to_is_looked_for_bit_by_bit(
    chosen: RunFilter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_filters, "FIRST_WINDOW", 3)
    script = make_script()
    fields = {"trigger": "url", "created_at": LONG_AGO - timedelta(1), "duration_s": 0.7}
    wanted = [make_run(script, **fields)]
    make_runs([script], 4)
    wanted.append(make_run(script, **fields))
    first = chosen.scan(history.loaded, before=None, limit=5, budget_s=0.0)
    assert first == Scan(rows=wanted[1:], goes_on_below=wanted[0].pk + 3)
    rest = chosen.scan(history.loaded, before=first.goes_on_below, limit=5, budget_s=0.0)
    assert rest == Scan(rows=wanted[:1])
    assert chosen.scan(history.loaded, before=None, limit=5, budget_s=60.0) == Scan(
        rows=wanted[::-1]
    )
    assert chosen.scan(history.loaded, before=None, limit=1, budget_s=0.0).rows == wanted[1:]


def test_a_bit_of_the_history_is_read_between_its_bounds() -> None:
    plan = history.newest(before=90, limit=10, trigger="url", more=Q(pk__gte=50)).explain()
    assert "USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)" in plan


def test_long_runs_that_are_many_are_found_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_filters, "MAX_FEW", 2)
    script = make_script()
    runs = [make_run(script, duration_s=seconds) for seconds in (90.0, 2.0, 61.0, 60.0)]
    assert RunFilter(min_s=60.0).page(limit=2) == [runs[3], runs[2]]
    assert RunFilter(min_s=61.0).page(limit=2) == [runs[2], runs[0]]


def test_what_a_run_refers_to_is_deleted_by_an_index() -> None:
    # Else the database reads the whole history for each row that is deleted, within the write lock.
    for column in ("version_id", "environment_id"):
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN SELECT 1 FROM runs_app_run WHERE {column} = 1")
            assert "USING" in cursor.fetchone()[3], column


def make_runs(scripts: list[Script], count: int) -> None:
    """So many runs of each script that succeeded."""
    runs = []
    for _ in range(count):
        for script in scripts:
            fields = {"trigger": Trigger.API, "created_at": timezone.now()}
            runs.append(Run(script=script, status=Status.SUCCEEDED, **fields))
    Run.objects.bulk_create(runs)


def steps_of_page(page: Callable[..., list[Run]] = history.page, **filters: Any) -> int:
    """How many steps of its machine, in tens, SQLite needs for a page of ten."""
    steps: list[int] = []
    connection.ensure_connection()
    connection.connection.set_progress_handler(lambda: steps.append(1), 10)
    try:
        page(limit=10, **filters)
    finally:
        connection.connection.set_progress_handler(None, 0)
    return len(steps)


def test_builds_are_shown_only_to_those_who_ask() -> None:
    run = make_run(make_script())
    environment = Environment.objects.create(python="3.12.1", interpreter="/p")
    build = make_run(kind=Kind.BUILD, trigger=Trigger.BUILD, environment=environment)
    assert (history.page(), history.page(kind=Kind.BUILD), history.page(kind="")) == (
        [run],
        [build],
        [build, run],
    )


def test_a_page_is_one_query_with_all_it_shows(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    script = make_script()
    schedule = make_schedule(script)
    for _ in range(10):
        make_run(script, schedule=schedule, environment=script.environment)
    with django_assert_num_queries(1):
        page = history.page()
        assert len(page) == 10
        for run in page:
            assert run.script and run.version and run.schedule and run.environment
            assert (run.script.slug, run.version.number, run.schedule.kind) == (
                script.slug,
                1,
                "interval",
            )


# --- archiving -------------------------------------------------------------------------------------------------------
def test_archiving_leaves_two_files() -> None:
    run, folder = ended()
    history.archive(run, folder)
    assert names(folder) == {"run.json", "output.log"}
    assert (folder / "output.log").read_bytes() == b"1000 O F first\n"


def test_a_archived_run_still_has_its_verdict_and_its_index() -> None:
    run, folder = ended()
    history.archive(run, folder)
    content = archived(folder)
    assert (content["id"], content["exit"], content["index"]) == (run.pk, EXIT, [0, 4711])


def test_archiving_makes_no_new_file() -> None:
    run, folder = ended()
    (folder / "spec.json").write_text("{}" * 5000)
    there = {entry.stat().st_ino for entry in folder.iterdir()}
    history.archive(run, folder)
    assert (folder / "run.json").stat().st_ino in there
    assert (archived(folder)["exit"], names(folder)) == (EXIT, {"run.json", "output.log"})


@pytest.mark.parametrize(
    "put",
    [
        lambda spec, other: spec.symlink_to(other),
        lambda spec, other: spec.hardlink_to(other),
        lambda spec, _: spec.mkdir(),
        lambda spec, _: os.mkfifo(spec),
        lambda *_: None,
    ],
)
def test_what_a_script_put_in_the_place_of_the_specification_is_not_written_to(
    put: Callable[[Path, Path], object], tmp_path: Path
) -> None:
    run, folder = ended()
    (folder / "spec.json").unlink(missing_ok=True)
    other = tmp_path / "other"
    other.write_text("precious")
    put(folder / "spec.json", other)
    history.archive(run, folder)
    assert (archived(folder)["exit"], other.read_text()) == (EXIT, "precious")


def test_archiving_twice_changes_nothing() -> None:
    run, folder = ended()
    history.archive(run, folder)
    before = archived(folder)
    history.archive(run, folder)
    assert (archived(folder), names(folder)) == (before, {"run.json", "output.log"})


@pytest.mark.parametrize(
    "survivors", [{"exit.json", "output.idx"}, {"output.idx"}, {"exit.json"}, set()]
)
def test_a_crash_in_the_middle_of_archiving_loses_nothing(survivors: set[str]) -> None:
    run, folder = ended()
    kept = {name: (folder / name).read_bytes() for name in survivors}
    history.archive(run, folder)
    for name, data in kept.items():  # what had not been removed yet
        (folder / name).write_bytes(data)
    history.archive(run, folder)
    content = archived(folder)
    assert (content["exit"], content["index"], names(folder)) == (
        EXIT,
        [0, 4711],
        {"run.json", "output.log"},
    )


def test_a_crash_before_anything_was_archived_loses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, folder = ended()

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as context:
        context.setattr(files, "write", fail)
        with pytest.raises(OSError, match="No space"):
            history.archive(run, folder)
    assert "exit.json" in names(folder)
    history.archive(run, folder)
    assert archived(folder)["exit"] == EXIT


def test_a_folder_that_is_gone_is_no_error() -> None:
    run, folder = ended()
    shutil.rmtree(folder)
    history.archive(run, folder)
    assert not folder.exists()


def test_finished_runs_are_archived_once() -> None:
    _, folder = ended()
    assert history.archive_finished(now=timezone.now()) == 1
    assert names(folder) == {"run.json", "output.log"}
    assert history.archive_finished(now=timezone.now()) == 0


def test_the_oldest_is_archived_first() -> None:
    (_, older), (_, younger) = ended(1), ended(2)
    history.archive_finished(now=timezone.now(), limit=1)
    assert (names(older), len(names(younger)) > 2) == ({"run.json", "output.log"}, True)


def test_a_run_under_way_is_not_archived() -> None:
    _, folder = ended(status=Status.RUNNING, finished_at=None)
    assert history.archive_finished(now=timezone.now()) == 0
    assert "exit.json" in names(folder)


def test_a_run_that_cannot_be_archived_keeps_no_other_from_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bad, _ = ended(1)
    _, folder = ended(2)
    honest = history.archive

    def archive_but_bad(run: Run, place: Path) -> None:
        if run == bad:
            raise OSError(errno.EIO, "Input/output error")
        honest(run, place)

    monkeypatch.setattr(history, "archive", archive_but_bad)
    history.archive_finished(now=timezone.now())
    assert names(folder) == {"run.json", "output.log"}


def test_a_run_that_could_not_be_archived_is_not_marked_and_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, folder = ended()

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as context:
        context.setattr(files, "write", fail)
        assert history.archive_finished(now=timezone.now()) == 0
    run.refresh_from_db()
    assert run.archived_at is None
    assert history.archive_finished(now=timezone.now()) == 0, "not at once"
    monkeypatch.setattr(time, "monotonic", lambda: history._retries[run.pk].at + 1)
    assert history.archive_finished(now=timezone.now()) == 1
    assert names(folder) == {"run.json", "output.log"}


def test_space_is_given_back_before_any_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    run, folder = ended()
    (folder / "tmp").mkdir(exist_ok=True)
    (folder / "tmp" / "large").write_bytes(b"x")

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "write", fail)
    with pytest.raises(OSError, match="No space"):
        history.archive(run, folder)
    assert not (folder / "tmp").exists()
