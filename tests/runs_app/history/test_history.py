"""History: pages, the folding of finished folders, retention."""

import errno
import json
import shutil
import struct
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from django_q.models import Failure
from pytest_django import Settings
from pytest_django.fixtures import DjangoAssertNumQueries

from runs_app.history import history
from runs_app.models import Run
from runs_app.states import Kind, Reason, Status, Trigger
from scripts_app.models import Environment
from tempo_site.lib import files, paths
from tests.factories import NOON, make_run, make_schedule, make_script

pytestmark = pytest.mark.django_db

EXIT = {"v": 1, "status": "succeeded", "exit_code": 0}
DAY = timedelta(days=1)


def ended(number: int = 1, **fields: Any) -> tuple[Run, Path]:
    """A final run and its folder as a runner leaves it."""
    fields = {"status": Status.SUCCEEDED, "finished_at": timezone.now(), "log_bytes": 15, **fields}
    run = make_run(folder=f"2026-11/{number}-abcdef12", **fields)
    folder = paths.run_folder(run.folder)
    (folder / "tmp" / "deep").mkdir(parents=True)
    (folder / "tmp" / "deep" / "left").write_text("x")
    (folder / "output.log").write_bytes(b"1000 O F first\n")
    (folder / "output.idx").write_bytes(struct.pack("<2Q", 0, 4711))
    (folder / "exit.json").write_text(json.dumps(EXIT))
    for name in ("claim", "lock", "spec.json", "main.py", "state.json"):
        (folder / name).write_text("{}")
    return run, folder


def names(folder: Path) -> set[str]:
    """What lies in a folder."""
    return {entry.name for entry in folder.iterdir()}


def folded(folder: Path) -> dict[str, Any]:
    """The content of a folded run's `run.json`."""
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
        for run in history.page():
            assert run.script and run.version and run.schedule and run.environment
            assert (run.script.slug, run.version.number, run.schedule.kind) == (
                script.slug,
                1,
                "interval",
            )


# --- folding ---------------------------------------------------------------------------------------------------------
def test_folding_leaves_two_files() -> None:
    run, folder = ended()
    history.archive(run, folder)
    assert names(folder) == {"run.json", "output.log"}
    assert (folder / "output.log").read_bytes() == b"1000 O F first\n"


def test_a_folded_run_still_has_its_verdict_and_its_index() -> None:
    run, folder = ended()
    history.archive(run, folder)
    content = folded(folder)
    assert (content["id"], content["exit"], content["index"]) == (run.pk, EXIT, [0, 4711])


def test_folding_twice_changes_nothing() -> None:
    run, folder = ended()
    history.archive(run, folder)
    before = folded(folder)
    history.archive(run, folder)
    assert (folded(folder), names(folder)) == (before, {"run.json", "output.log"})


@pytest.mark.parametrize(
    "survivors", [{"exit.json", "output.idx"}, {"output.idx"}, {"exit.json"}, set()]
)
def test_a_crash_in_the_middle_of_folding_loses_nothing(survivors: set[str]) -> None:
    run, folder = ended()
    kept = {name: (folder / name).read_bytes() for name in survivors}
    history.archive(run, folder)
    for name, data in kept.items():  # what had not been removed yet
        (folder / name).write_bytes(data)
    history.archive(run, folder)
    content = folded(folder)
    assert (content["exit"], content["index"], names(folder)) == (
        EXIT,
        [0, 4711],
        {"run.json", "output.log"},
    )


def test_a_crash_before_anything_was_folded_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    run, folder = ended()

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as context:
        context.setattr(files, "write_atomic", fail)
        with pytest.raises(OSError, match="No space"):
            history.archive(run, folder)
    assert "exit.json" in names(folder)
    history.archive(run, folder)
    assert folded(folder)["exit"] == EXIT


def test_a_folder_that_is_gone_is_no_error() -> None:
    run, folder = ended()
    shutil.rmtree(folder)
    history.archive(run, folder)
    assert not folder.exists()


def test_finished_runs_are_folded_once() -> None:
    _, folder = ended()
    assert history.archive_finished(now=timezone.now()) == 1
    assert names(folder) == {"run.json", "output.log"}
    assert history.archive_finished(now=timezone.now()) == 0


def test_the_oldest_is_folded_first() -> None:
    (_, older), (_, younger) = ended(1), ended(2)
    history.archive_finished(now=timezone.now(), limit=1)
    assert (names(older), len(names(younger)) > 2) == ({"run.json", "output.log"}, True)


def test_a_run_under_way_is_not_folded() -> None:
    _, folder = ended(status=Status.RUNNING, finished_at=None)
    assert history.archive_finished(now=timezone.now()) == 0
    assert "exit.json" in names(folder)


def test_a_run_that_cannot_be_folded_keeps_no_other_from_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bad, _ = ended(1)
    _, folder = ended(2)
    honest = history.archive

    def fold(run: Run, place: Path) -> None:
        if run == bad:
            raise OSError(errno.EIO, "Input/output error")
        honest(run, place)

    monkeypatch.setattr(history, "fold", fold)
    history.archive_finished(now=timezone.now())
    assert names(folder) == {"run.json", "output.log"}


# --- retention -------------------------------------------------------------------------------------------------------
def test_old_runs_go_with_their_folders(settings: Settings) -> None:
    settings.KEEP_DAYS = 30
    _, folder = ended(1, created_at=NOON - 31 * DAY)
    young, kept = ended(2, created_at=NOON - 29 * DAY)
    assert history.prune(now=NOON) == 1
    assert list(Run.objects.all()) == [young]
    assert (folder.exists(), kept.exists()) == (False, True)


def test_each_script_keeps_its_newest(settings: Settings) -> None:
    settings.KEEP_RUNS = 2
    script, other = make_script(), make_script("Other")
    kept = [make_run(other, status=Status.SUCCEEDED, created_at=NOON)]
    runs = [make_run(script, status=Status.SUCCEEDED, created_at=NOON) for _ in range(5)]
    assert history.prune(now=NOON) == 3
    assert set(Run.objects.all()) == {*kept, *runs[3:]}


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
            created_at=NOON,
        )
        for row in environments
    ]
    history.prune(now=NOON)
    assert list(Run.objects.all()) == builds[-1:]


def test_the_oldest_logs_go_until_the_rest_fits(settings: Settings) -> None:
    settings.KEEP_MB = 2
    runs = [ended(number, created_at=NOON, log_bytes=2**20) for number in range(1, 5)]
    assert history.prune(now=NOON) == 2
    assert [folder.exists() for _, folder in runs] == [False, False, True, True]


@pytest.mark.parametrize("status", [Status.FAILED, Status.TIMED_OUT, Status.LOST])
def test_the_last_failure_of_a_script_stays_whatever_its_age(
    status: Status, settings: Settings
) -> None:
    settings.KEEP_DAYS, settings.KEEP_RUNS, settings.KEEP_MB = 1, 1, 0
    script = make_script()
    ended(1, script=script, status=status, created_at=NOON - 90 * DAY)
    last, folder = ended(2, script=script, status=status, created_at=NOON - 80 * DAY)
    for number in (3, 4):
        ended(number, script=script, created_at=NOON - 70 * DAY)
    history.prune(now=NOON)
    assert (list(Run.objects.all()), folder.exists()) == ([last], True)


@pytest.mark.parametrize("status", [Status.QUEUED, Status.STARTING, Status.RUNNING])
def test_an_active_run_is_never_touched(status: Status, settings: Settings) -> None:
    settings.KEEP_DAYS, settings.KEEP_RUNS, settings.KEEP_MB = 1, 1, 0
    script = make_script()
    active, folder = ended(
        1, script=script, status=status, finished_at=None, created_at=NOON - 90 * DAY
    )
    ended(2, script=script, created_at=NOON - 90 * DAY)
    ended(3, script=script, created_at=NOON - 90 * DAY)
    history.prune(now=NOON)
    assert (list(Run.objects.all()), folder.exists()) == ([active], True)


def test_many_runs_go_in_batches(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "BATCH", 3)
    settings.KEEP_RUNS = 1
    script = make_script()
    for _ in range(11):
        make_run(script, status=Status.SUCCEEDED, created_at=NOON)
    assert history.prune(now=NOON) == 10


def test_rows_without_a_folder_go_too(settings: Settings) -> None:
    settings.KEEP_DAYS = 30
    make_run(
        make_script(), status=Status.MISSED, reason=Reason.SERVICE_DOWN, created_at=NOON - 31 * DAY
    )
    assert (history.prune(now=NOON), Run.objects.count()) == (1, 0)


def test_an_empty_month_goes_with_its_last_run(settings: Settings) -> None:
    settings.KEEP_DAYS = 30
    ended(created_at=NOON - 31 * DAY)
    # in December; in the current month a run's folder may be about to be made
    history.prune(now=NOON + 9 * DAY)
    assert list(paths.runs().iterdir()) == []


def test_what_is_younger_and_fits_is_left_alone() -> None:
    ended(created_at=NOON - DAY)
    assert (history.prune(now=NOON), Run.objects.count()) == (0, 1)


def test_a_run_whose_folder_cannot_be_removed_keeps_no_other_from_going(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.KEEP_DAYS = 30
    stuck, _ = ended(1, created_at=NOON - 31 * DAY)
    ended(2, created_at=NOON - 31 * DAY)
    honest = shutil.rmtree

    def rmtree(path: Path) -> None:
        if path == paths.run_folder(stuck.folder):
            # and no launcher is there to help
            raise PermissionError(errno.EPERM, "Operation not permitted")
        honest(path)

    monkeypatch.setattr(shutil, "rmtree", rmtree)
    history.prune(now=NOON)
    assert list(Run.objects.all()) == [stuck]


def test_what_q2_failed_at_long_ago_is_forgotten(settings: Settings) -> None:
    settings.KEEP_DAYS = 30
    for identity, stopped in (("old", NOON - 31 * DAY), ("young", NOON)):
        Failure.objects.create(
            id=identity, name=identity, func="f", started=stopped, stopped=stopped, success=False
        )
    history.prune(now=NOON)
    assert [failure.id for failure in Failure.objects.all()] == ["young"]
