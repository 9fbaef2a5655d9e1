"""Settling: what a folder says is what the row says, however often it is asked."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from runs_app import launcher_client
from runs_app.admission import admission, unwanted
from runs_app.engine import reconcile
from runs_app.execution import execution
from runs_app.history import history
from runs_app.launcher import locks
from runs_app.models import Run
from runs_app.new_runs import schedule_updates
from runs_app.output import log
from runs_app.signals import run_finished
from runs_app.states import Isolation, Kind, Reason, Status, Trigger
from runs_app.triggers import builds as triggers_builds
from scripts_app import scripts
from scripts_app.environments import builds as environments_builds
from scripts_app.models import Environment
from tempo_site.lib import paths
from tests.factories import make_run, make_script

pytestmark = pytest.mark.django_db

EXIT = {
    "v": 1,
    "status": "succeeded",
    "reason": "",
    "exit_code": 0,
    "signal": None,
    "message": "",
    "started_at": 1000.0,
    "finished_at": 1002.5,
    "duration_s": 2.5,
    "cpu_s": 0.5,
    "peak_memory_mb": 12.0,
    "output_bytes": 7,
    "output_lines": 1,
    "output_dropped": 5,
    "processes": 3,
    "isolation": {"grade": "good", "why": "no Landlock", "degraded": True},
    "log_bytes": 30,
    "leftovers_killed": 0,
}


def under_way(**fields: Any) -> tuple[Run, Path]:
    """A run that was handed over, and its empty folder."""
    fields = {
        "status": Status.STARTING,
        "folder": "2026-11/1-abcdef12",
        "handed_over_at": timezone.now(),
        **fields,
    }
    script = make_script()
    run = make_run(script, **{"environment": script.environment, **fields})
    folder = paths.run_folder(run.folder)
    folder.mkdir(parents=True)
    return run, folder


@contextmanager
def held_lock(folder: Path) -> Iterator[None]:
    """Hold the folder's lock as a living runner does."""
    descriptor = os.open(folder, os.O_RDONLY)
    lock = locks.acquire(descriptor)
    assert lock is not None
    try:
        yield
    finally:
        os.close(lock)
        os.close(descriptor)


def settled(run: Run) -> Run:
    """The row after settling."""
    reconcile.reconcile(run, now=timezone.now())
    run.refresh_from_db()
    return run


def test_an_unclaimed_folder_is_left_alone() -> None:
    run, _ = under_way()
    assert settled(run).status == Status.STARTING


def test_a_claim_with_a_living_runner_and_a_script_is_running() -> None:
    run, folder = under_way()
    (folder / "claim").touch()
    (folder / "state.json").write_text(json.dumps({"started_at": 1000.0}))
    with held_lock(folder):
        assert settled(run).status == Status.RUNNING


def test_a_claim_without_a_script_yet_is_still_starting() -> None:
    run, folder = under_way()
    (folder / "claim").touch()
    with held_lock(folder):
        assert settled(run).status == Status.STARTING


def test_a_verdict_becomes_the_row() -> None:
    run, folder = under_way()
    (folder / "claim").touch()
    (folder / "exit.json").write_text(json.dumps(EXIT))
    (folder / "output.log").write_bytes(b"1000000000000 O F hello, you!\n")
    run = settled(run)
    assert (run.status, run.exit_code, run.duration_s, run.cpu_s, run.log_bytes) == (
        Status.SUCCEEDED,
        0,
        2.5,
        0.5,
        30,
    )
    assert (run.processes_max, run.output_lines, run.output_dropped) == (3, 1, 5)
    assert (run.isolation, run.isolation_why, run.isolation_degraded) == (
        Isolation.GOOD,
        "no Landlock",
        True,
    )


def test_a_cancel_by_a_person_is_told_by_the_row_and_another_s_end_by_its_sentence() -> None:
    told = {}
    for number, reason in enumerate((Reason.USER, Reason.MEMORY), 1):
        run, folder = under_way(folder=f"2026-11/{number}-abcdef12")
        (folder / "claim").touch()
        verdict = EXIT | {
            "status": "failed",
            "reason": reason,
            "message": "used 530 MB, limit 512 MB",
        }
        (folder / "exit.json").write_text(json.dumps(verdict))
        told[reason] = settled(run).message
    assert told == {Reason.USER: "", Reason.MEMORY: "used 530 MB, limit 512 MB"}


def test_a_running_run_says_how_it_is_kept_apart() -> None:
    run, folder = under_way()
    (folder / "claim").touch()
    (folder / "state.json").write_text(
        json.dumps({"started_at": 1000.0, "isolation": EXIT["isolation"]})
    )
    with held_lock(folder):
        run = settled(run)
    assert (run.isolation, run.isolation_why, run.isolation_degraded) == (
        Isolation.GOOD,
        "no Landlock",
        True,
    )


def test_a_run_whose_state_could_not_be_written_counts_as_running_all_the_same() -> None:
    run, folder = under_way(handed_over_at=timezone.now() - timedelta(seconds=3))
    (folder / "claim").touch()
    with held_lock(folder):
        run = settled(run)
    assert run.status == Status.RUNNING
    assert run.started_at is not None


def test_a_clock_that_was_set_back_does_not_strand_an_order(launcher: "Recorder") -> None:
    run, _ = under_way(handed_over_at=timezone.now() + timedelta(hours=1))
    reconcile.sweep(now=timezone.now())
    assert launcher.asked == [("start", run.folder)]


def test_a_dead_runner_s_tail_is_put_back_before_the_log_is_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, folder = under_way()
    (folder / "claim").touch()
    monkeypatch.setattr(
        log, "append_tail", lambda path: (path / "output.log").write_bytes(b"1 S F gap\n")
    )
    assert settled(run).log_bytes == 10


def test_the_lateness_is_start_minus_due_moment() -> None:
    due = datetime.fromtimestamp(998.5, tz=UTC)
    run, folder = under_way(due_at=due)
    (folder / "claim").touch()
    (folder / "exit.json").write_text(json.dumps(EXIT))
    assert settled(run).late_ms == 1500


def test_a_dead_runner_without_verdict_is_lost() -> None:
    run, folder = under_way()
    (folder / "claim").touch()
    (folder / "lock").touch()
    run = settled(run)
    assert (run.status, run.reason) == (Status.LOST, Reason.RESTART)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"status"'])
def test_a_torn_verdict_counts_as_none(content: str) -> None:
    run, folder = under_way()
    (folder / "claim").touch()
    (folder / "exit.json").write_text(content)
    assert settled(run).status == Status.LOST


def test_a_verdict_of_a_runner_that_still_ends_is_believed() -> None:
    run, folder = under_way()
    (folder / "claim").touch()
    (folder / "exit.json").write_text(json.dumps(EXIT))
    with held_lock(folder):
        assert settled(run).status == Status.SUCCEEDED


def test_settling_twice_changes_nothing() -> None:
    run, folder = under_way()
    (folder / "claim").touch()
    (folder / "exit.json").write_text(json.dumps(EXIT))
    before = Run.objects.filter(pk=settled(run).pk).values().get()
    reconcile.reconcile(run, now=timezone.now() + timedelta(days=1))
    assert Run.objects.filter(pk=run.pk).values().get() == before


def test_an_end_is_announced_once(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    heard: list[Run] = []

    def listener(run: Run, **_: object) -> None:
        heard.append(run)

    run_finished.connect(listener)
    try:
        run, folder = under_way()
        (folder / "claim").touch()
        (folder / "exit.json").write_text(json.dumps(EXIT))
        with django_capture_on_commit_callbacks(execute=True):
            settled(run)
            settled(run)
    finally:
        run_finished.disconnect(listener)
    assert heard == [run]


def test_a_cancel_takes_the_claim_of_a_run_that_did_not_begin() -> None:
    run, folder = under_way()
    assert execution.cancel(run, by="ann", now=timezone.now())
    run.refresh_from_db()
    assert (run.status, run.cancelled_by, (folder / "claim").exists()) == (
        Status.CANCELLED,
        "ann",
        True,
    )


def test_a_cancel_between_claiming_and_updating_is_finished_by_settling() -> None:
    run, folder = under_way()
    (folder / "claim").write_bytes(execution.CLAIMED_BY_CANCEL)
    assert settled(run).status == Status.CANCELLED


def test_a_failure_between_claiming_and_updating_is_finished_by_settling() -> None:
    run, folder = under_way()
    (folder / "claim").write_bytes(execution.CLAIMED_TO_FAIL + b"No key opens it.")
    run = settled(run)
    assert (run.status, run.reason) == (Status.FAILED, Reason.COULD_NOT_START)
    assert run.explain() == "No key opens it."


def test_a_queued_run_is_cancelled_at_once() -> None:
    run = make_run(make_script())
    execution.cancel(run, by="ann", now=timezone.now())
    run.refresh_from_db()
    assert (run.status, run.reason, run.cancelled_by) == (Status.CANCELLED, Reason.USER, "ann")


def test_a_final_run_cannot_be_cancelled() -> None:
    run = make_run(make_script(), status=Status.SUCCEEDED)
    assert not execution.cancel(run, by="ann", now=timezone.now())


class Recorder(launcher_client.LauncherClient):
    """Stands for the launcher and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def _request(self, operation: str, *, timeout_s: float = 5.0, **fields: Any) -> dict[str, Any]:
        self.asked.append((operation, fields.get("folder", "")))
        return {"ok": True, "pid": 1}


@pytest.fixture
def launcher(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """A launcher that only listens."""
    recorder = Recorder()
    monkeypatch.setattr(launcher_client, "launcher", recorder)
    return recorder


def test_the_sweep_hands_over_again_what_was_not_begun_in_two_seconds(launcher: Recorder) -> None:
    run, _ = under_way(handed_over_at=timezone.now() - timedelta(seconds=3))
    reconcile.sweep(now=timezone.now())
    assert launcher.asked == [("start", run.folder)]


def test_the_sweep_leaves_a_burst_that_is_still_forking_alone(launcher: Recorder) -> None:
    under_way()
    reconcile.sweep(now=timezone.now())
    assert launcher.asked == []


def test_the_sweep_repeats_a_cancel_until_it_is_done(launcher: Recorder) -> None:
    run, folder = under_way(status=Status.RUNNING, cancel_requested_at=timezone.now())
    (folder / "claim").touch()
    with held_lock(folder):
        reconcile.sweep(now=timezone.now())
    # Adopted, as it was not known.
    assert launcher.asked == [
        ("cancel", run.folder),
        ("adopt", run.folder),
    ]


def test_a_start_adopts_what_lives_and_hands_over_what_never_began(launcher: Recorder) -> None:
    waiting, _ = under_way()
    living, folder = under_way(folder="2026-11/2-abcdef12")
    (folder / "claim").touch()
    with held_lock(folder):
        reconcile.at_start(now=timezone.now())
    assert launcher.asked == [("start", waiting.folder), ("adopt", living.folder)]


def test_a_wanted_environment_gets_one_build() -> None:
    make_script(is_ready=False)
    first = triggers_builds.sweep(now=timezone.now())
    assert first is not None
    assert first.kind == Kind.BUILD
    assert triggers_builds.sweep(now=timezone.now()) is None


def test_a_cancelled_build_is_not_started_again_by_itself() -> None:
    make_script(is_ready=False)
    run = triggers_builds.sweep(now=timezone.now())
    assert run is not None
    execution.cancel(run, by="ann", now=timezone.now())
    assert Environment.objects.get().state == Environment.State.FAILED
    assert triggers_builds.sweep(now=timezone.now()) is None


def test_a_lost_build_is_tried_again_once() -> None:
    environment = Environment.objects.create(python="3.12.1", interpreter="/p")
    states = []
    for number in (1, 2):
        Environment.objects.update(state=Environment.State.BUILDING)
        name = f"2026-11/{number}-abcdef12"
        run, folder = under_way(
            kind=Kind.BUILD, environment=environment, trigger=Trigger.BUILD, folder=name
        )
        (folder / "claim").touch()
        settled(run)
        environment.refresh_from_db()
        states.append(environment.state)
    assert states == [Environment.State.WANTED, Environment.State.FAILED]


def test_a_running_run_whose_folder_is_gone_is_lost_and_its_processes_are_ended(
    launcher: Recorder,
) -> None:
    run, folder = under_way(status=Status.RUNNING)
    shutil.rmtree(folder)
    assert settled(run).status == Status.LOST
    assert launcher.asked == [("cancel", run.folder)]


def test_a_run_that_was_accepted_is_never_begun_again_without_its_folder(
    launcher: Recorder,
) -> None:
    run, folder = under_way(handed_over_at=timezone.now() - timedelta(seconds=3))
    execution.hand_over(run, now=timezone.now())
    shutil.rmtree(folder)
    reconcile.sweep(now=timezone.now())
    run.refresh_from_db()
    assert run.status == Status.LOST
    assert [operation for operation, _ in launcher.asked].count("start") == 1


def test_a_run_that_was_cancelled_since_its_admission_is_not_handed_over(
    launcher: Recorder,
) -> None:
    run, _ = under_way()
    execution.cancel(run, by="ann", now=timezone.now())
    assert not execution.hand_over(run, now=timezone.now())
    assert launcher.asked == []


def test_a_refusal_that_lasts_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(launcher_client.LauncherClient):
        def __init__(self) -> None:
            pass

        def start(self, folder: str, *, secrets: Mapping[str, str] | None = None) -> int:
            raise launcher_client.LauncherRefused("is not a real folder below runs/")

    monkeypatch.setattr(launcher_client, "launcher", Refusing())
    run, _ = under_way()
    execution.hand_over(run, now=timezone.now())
    run.refresh_from_db()
    assert run.status == Status.STARTING  # it may pass
    monkeypatch.setattr(execution, "REFUSED_FOR_LONG_S", 0.0)
    execution.hand_over(run, now=timezone.now())
    run.refresh_from_db()
    assert (run.status, "not a real folder" in run.message) == (Status.FAILED, True)


def test_a_build_and_its_environment_end_together(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = Environment.objects.create(
        python="3.12.1", interpreter="/p", state=Environment.State.BUILDING
    )
    run, folder = under_way(kind=Kind.BUILD, environment=environment, trigger=Trigger.BUILD)
    (folder / "claim").touch()

    def locked(*_: object, **__: object) -> bool:
        raise OperationalError("database is locked")

    with monkeypatch.context() as context:
        context.setattr(environments_builds, "finish", locked)
        with pytest.raises(OperationalError):
            reconcile.reconcile(run, now=timezone.now())
    run.refresh_from_db()
    assert run.status == Status.STARTING  # settled at the next look
    assert settled(run).status == Status.LOST


def test_an_environment_that_nobody_builds_is_wanted_again() -> None:
    script = make_script(is_ready=False)
    Environment.objects.update(state=Environment.State.BUILDING)
    run = triggers_builds.sweep(now=timezone.now())
    assert run is not None
    assert run.environment == script.wanted_environment


def test_a_run_that_waits_for_an_environment_in_need_of_repair_ends_when_the_repair_fails() -> None:
    script = make_script()
    run = make_run(script)
    Environment.objects.update(state=Environment.State.FAILED, message="the index is away")
    admission.fail_without_environment(now=timezone.now())
    run.refresh_from_db()
    assert (run.status, run.reason) == (Status.FAILED, Reason.ENVIRONMENT)


def test_a_run_of_a_deleted_script_does_not_wait_for_ever() -> None:
    script = make_script(is_ready=False)
    run = make_run(script)
    scripts.delete(script, now=timezone.now())
    unwanted.cancel_unwanted(now=timezone.now())
    run.refresh_from_db()
    assert run.status == Status.CANCELLED


def test_an_order_is_forgotten_with_its_run_and_not_before(
    launcher: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, _ = under_way()
    going, _ = under_way(folder="2026-11/2-abcdef12")
    late, _ = under_way(folder="2026-11/3-abcdef12")
    for run in (ended, going):
        execution.hand_over(run, now=timezone.now())
    execution.cancel(ended, by="ann", now=timezone.now())

    def rows_while_another_thread_hands_over() -> list[Run]:
        found = list(Run.objects.under_way().exclude(pk=late.pk))  # read before it was admitted
        execution.hand_over(late, now=timezone.now())
        return found

    monkeypatch.setattr(reconcile._UNDER_WAY, "rows", rows_while_another_thread_hands_over)
    reconcile.sweep(now=timezone.now())
    assert [execution.was_accepted(run) for run in (ended, going, late)] == [False, True, True]


@pytest.mark.parametrize("duration_s", [2.5, None])
def test_a_clock_that_was_set_back_ends_no_run_before_its_start(duration_s: float | None) -> None:
    run, folder = under_way()
    (folder / "claim").touch()
    back = {"started_at": 5000.0, "finished_at": 1400.0, "duration_s": duration_s}
    (folder / "exit.json").write_text(json.dumps(EXIT | back))
    run = settled(run)
    assert run.started_at and run.finished_at
    assert run.finished_at - run.started_at == timedelta(seconds=duration_s or 0)


def test_a_lost_run_does_not_end_before_its_start_either() -> None:
    begin = timezone.now() + timedelta(hours=1)
    run, folder = under_way(status=Status.RUNNING, started_at=begin)
    (folder / "claim").touch()
    assert run.elapsed(timezone.now()) == timedelta()
    run = settled(run)
    assert (run.status, run.finished_at) == (Status.LOST, begin)


# --- many at once --------------------------------------------------------------------------------------------------
def ended_folders(count: int) -> list[Run]:
    """Runs of a script, each with a verdict in its folder."""
    script = make_script()
    runs = []
    for number in range(count):
        folder = f"2026-11/{number}-abcdef12"
        run = make_run(script, status=Status.STARTING, folder=folder, handed_over_at=timezone.now())
        path = paths.run_folder(folder)
        path.mkdir(parents=True)
        (path / "claim").touch()
        (path / "exit.json").write_text(json.dumps(EXIT))
        runs.append(run)
    return runs


def test_ends_that_are_found_together_are_stored_in_one_transaction() -> None:
    ended_folders(5)
    with CaptureQueriesContext(connection) as asked:
        assert not reconcile.reconcile_all(now=timezone.now())
    statements = [query["sql"].partition(" ")[0] for query in asked]
    assert statements == ["SELECT", "SAVEPOINT", *["UPDATE"] * 5, "RELEASE"]
    assert set(Run.objects.values_list("status", flat=True)) == {Status.SUCCEEDED}


def test_an_end_that_cannot_be_stored_keeps_no_other_from_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bad, *others = ended_folders(3)
    honest = schedule_updates.note_end

    def fail_for_the_bad(run: Run, *, now: datetime) -> None:
        if run == bad:
            raise RuntimeError("broken")
        honest(run, now=now)

    monkeypatch.setattr(schedule_updates, "note_end", fail_for_the_bad)
    reconcile.reconcile_all(now=timezone.now())
    ended = set(Run.objects.filter(status=Status.SUCCEEDED))
    assert ended == set(others)


def test_a_run_that_began_a_moment_ago_is_written_when_it_is_over_or_a_moment_later() -> None:
    run, folder = under_way()
    began = timezone.now()
    (folder / "claim").touch()
    (folder / "state.json").write_text(json.dumps({"started_at": began.timestamp()}))
    with held_lock(folder):
        assert reconcile.reconcile_all(now=began + timedelta(milliseconds=20))
        assert Run.objects.get(pk=run.pk).status == Status.STARTING
        assert not reconcile.reconcile_all(now=began + reconcile.YOUNG)
    assert Run.objects.get(pk=run.pk).status == Status.RUNNING


def test_an_archived_folder_is_marked_with_the_next_end() -> None:
    first, second = ended_folders(2)
    reconcile.reconcile(first, now=timezone.now())
    assert history.archive_finished(now=timezone.now()) == 1
    with CaptureQueriesContext(connection) as asked:
        reconcile.reconcile_all(now=timezone.now())
    first.refresh_from_db()
    second.refresh_from_db()
    assert first.archived_at is not None
    assert second.archived_at is None
    assert [query["sql"].partition(" ")[0] for query in asked].count("UPDATE") == 2
