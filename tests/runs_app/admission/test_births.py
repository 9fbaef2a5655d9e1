"""A run that need not wait is born under way: under the same promises as runs that begin from the queue."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django_q.models import OrmQ
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from runs_app import launcher_client
from runs_app.admission import admission, births, memory
from runs_app.models import Run
from runs_app.programs import matching, wait_conditions
from runs_app.programs.registry import PROGRAMS
from runs_app.programs.wait_conditions import Situation
from runs_app.scheduler import ticker
from runs_app.states import Kind, Status, Trigger
from runs_app.triggers import triggers
from scripts_app import scripts
from scripts_app.models import Environment, Schedule, Script
from tempo_site.lib import paths
from tests.factories import NOW, make_run, make_schedule, make_script

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


class Recorder(launcher_client.LauncherClient):
    """Stands for the launcher and remembers what it was asked to start."""

    def __init__(self) -> None:
        self.started: list[str] = []

    def start(self, folder: str, *, secrets: Mapping[str, str] | None = None) -> int:
        """Remember a folder."""
        self.started.append(folder)
        return 1


class Absent(Recorder):
    """A launcher that does not answer."""

    def start(self, folder: str, *, secrets: Mapping[str, str] | None = None) -> int:
        raise launcher_client.LauncherError("away")


@pytest.fixture
def launcher(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """A launcher that starts nothing."""
    recorder = Recorder()
    monkeypatch.setattr(launcher_client, "launcher", recorder)
    return recorder


def start(script: Script | None = None, **fields: Any) -> Run:
    """Start a script by hand and read its row."""
    run = triggers.start(
        script or make_script(), trigger=Trigger.MANUAL, by="ann", now=NOW, **fields
    )
    run.refresh_from_db()
    return run


def test_a_run_that_nothing_keeps_is_born_starting_and_without_a_queue_row(
    launcher: Recorder, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        run = start()
    assert (run.status, OrmQ.objects.count(), launcher.started) == ("starting", 0, [run.folder])
    assert (paths.run_folder(run.folder) / "spec.json").exists()
    assert run.script
    assert (run.environment, run.handed_over_at) == (run.script.environment, NOW)


def test_its_folder_is_named_after_it(launcher: Recorder) -> None:
    make_run(make_script("Earlier")).delete()  # numbers are never used again
    run = start()
    assert run.folder.startswith(f"{NOW:%Y-%m}/{run.pk}-")


def test_it_is_handed_over_behind_the_commit_and_not_before(launcher: Recorder) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        start()
        raise RuntimeError
    assert (launcher.started, Run.objects.count()) == ([], 0)


def test_a_launcher_that_is_away_costs_no_run(
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    monkeypatch.setattr(launcher_client, "launcher", Absent())
    with django_capture_on_commit_callbacks(execute=True):
        run = start()
    assert run.status == Status.STARTING  # the sweep hands it over again


def test_where_no_launcher_is_runs_are_queued_as_in_a_command() -> None:
    assert (start().status, OrmQ.objects.count()) == (Status.QUEUED, 1)


def test_nobody_is_overtaken(launcher: Recorder) -> None:
    make_run(make_script("Before"))
    assert (start().status, OrmQ.objects.count()) == (Status.QUEUED, 1)


def a_try_that_waits_an_hour() -> None:
    schedule = make_schedule(make_script("Before"))
    fields = {"trigger": Trigger.RETRY, "not_before": NOW + timedelta(hours=1)}
    make_run(schedule.script, schedule=schedule, **fields)


def a_try_in_a_pause() -> None:
    schedule = make_schedule(make_script("Before"))
    make_run(schedule.script, schedule=schedule, trigger=Trigger.RETRY)
    Schedule.objects.update(paused_at=NOW, paused_until=NOW + MINUTE)


def a_run_whose_environment_is_built() -> None:
    make_run(make_script("Before", is_ready=False))


def a_run_behind_another_of_its_script() -> None:
    schedule = make_schedule(make_script("Before"), overlap=Schedule.Overlap.QUEUE_ONE)
    make_run(schedule.script, status=Status.RUNNING)
    make_run(schedule.script, schedule=schedule, trigger=Trigger.SCHEDULE, due_at=NOW)


def a_run_of_a_deleted_script() -> None:
    run = make_run(make_script("Before"))
    Script.objects.filter(pk=run.script_id or 0).update(deleted_at=NOW)


@pytest.mark.parametrize(
    "queue",
    [
        a_try_that_waits_an_hour,
        a_try_in_a_pause,
        a_run_whose_environment_is_built,
        a_run_behind_another_of_its_script,
        a_run_of_a_deleted_script,
    ],
)
def test_nobody_waits_for_a_run_that_could_not_begin_either(
    queue: Callable[[], None], launcher: Recorder
) -> None:
    queue()
    assert (start().status, OrmQ.objects.count()) == (Status.STARTING, 0)


def test_the_first_that_waits_for_memory_is_not_overtaken_by_a_smaller_one(
    launcher: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "available_mb", lambda: 300)
    make_run(make_script("Under way"), status=Status.RUNNING, memory_mb=100)
    make_run(make_script("Large"), memory_mb=500)
    assert admission.claim(now=NOW) == []
    assert start(make_script("Small", memory_mb=50)).status == Status.QUEUED


def test_the_cap_holds(settings: Settings, launcher: Recorder) -> None:
    settings.MAX_CONCURRENT_RUNS = 2
    script = make_script()
    assert [start(script).status for _ in range(4)] == ["starting", "starting", "queued", "queued"]


def test_memory_that_was_promised_a_moment_ago_is_not_promised_again(
    launcher: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "available_mb", lambda: 1200)
    script = make_script(memory_mb=500)
    assert [start(script).status for _ in range(3)] == ["starting", "starting", "queued"]


def test_a_script_whose_last_runs_were_small_needs_less_than_its_limit(
    launcher: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "available_mb", lambda: 250)
    script = make_script(memory_mb=500)
    make_run(script, status=Status.SUCCEEDED, peak_memory_mb=40)
    assert [start(script).status for _ in range(5)] == ["starting"] * 4 + ["queued"]


def test_a_script_without_its_environment_waits(launcher: Recorder) -> None:
    assert start(make_script(is_ready=False)).status == Status.QUEUED


def test_a_script_that_changed_since_it_was_read_goes_through_the_queue(
    launcher: Recorder,
) -> None:
    script = make_script()
    assert script.environment
    Environment.objects.update(state=Environment.State.WANTED)  # as by another person meanwhile
    assert start(script).status == Status.QUEUED


def test_a_script_that_was_deleted_meanwhile_does_not_begin(launcher: Recorder) -> None:
    script = make_script()
    scripts.delete(Script.objects.get(pk=script.pk), now=NOW)
    assert start(script).status == Status.QUEUED


# --- schedules -----------------------------------------------------------------------------------------------------
def test_due_moments_that_come_together_begin_together_in_their_order(
    launcher: Recorder, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    schedules = [make_schedule(make_script(f"Crowd {number}")) for number in range(3)]
    with django_capture_on_commit_callbacks(execute=True):
        ticker.step(now=NOW + MINUTE, limit=20)
    runs = list(Run.objects.order_by("pk"))
    assert [run.schedule for run in runs] == schedules
    assert launcher.started == [run.folder for run in runs]
    assert {run.status for run in runs} == {Status.STARTING}


def test_of_those_that_come_together_the_first_get_the_places(
    settings: Settings, launcher: Recorder
) -> None:
    settings.MAX_CONCURRENT_RUNS = 2
    for number in range(4):
        make_schedule(make_script(f"Crowd {number}"))
    ticker.step(now=NOW + MINUTE, limit=20)
    statuses = list(Run.objects.order_by("pk").values_list("status", flat=True))
    assert statuses == ["starting", "starting", "queued", "queued"]


def test_of_a_crowd_none_begins_before_all_have_their_rows(launcher: Recorder) -> None:
    for number in range(3):
        make_schedule(make_script(f"Crowd {number}"))
    ticker.step(now=NOW + MINUTE, limit=2)  # as many as are asked for: more may follow
    ticker.step(now=NOW + MINUTE, limit=2)
    statuses = list(Run.objects.order_by("pk").values_list("status", flat=True))
    assert (statuses, launcher.started) == (["queued"] * 3, [])


@pytest.mark.parametrize("overlap", ["queue_one", "replace"])
def test_a_scheduled_run_does_not_begin_beside_another_of_its_script(
    overlap: str, launcher: Recorder
) -> None:
    schedule = make_schedule(overlap=overlap)
    make_run(schedule.script, status=Status.RUNNING)
    ticker.step(now=NOW + MINUTE)
    assert Run.objects.get(schedule=schedule).status == Status.QUEUED


# --- one rule ------------------------------------------------------------------------------------------------------
def rows_of_every_sort() -> list[Run]:
    """Runs by hand and by schedules, of scripts and schedules in every state that a condition asks for."""
    for state in (*Environment.State, None):
        changes: list[dict[str, Any]] = [{}, {"enabled": False}, {"deleted_at": NOW}]
        for number, fields in enumerate(changes):
            script = make_script(f"{state} {number}")
            schedule = make_schedule(script, overlap=Schedule.Overlap.choices[number][0])
            if number == 1:
                Schedule.objects.filter(pk=schedule.pk).update(
                    enabled=False, paused_at=NOW, paused_until=NOW + MINUTE
                )
            Script.objects.filter(pk=script.pk).update(**fields)
            make_run(script)
            make_run(script, schedule=schedule, trigger=Trigger.SCHEDULE, due_at=NOW)
            make_run(script, trigger=Trigger.STARTUP)
            make_run(script, schedule=schedule, trigger=Trigger.RETRY, not_before=NOW + MINUTE)
            environment = Environment.objects.create(
                python="3", interpreter=f"{script.slug}", state=state or "wanted"
            )
            Script.objects.filter(pk=script.pk).update(
                environment=environment if state else None, wanted_environment=environment
            )
    return list(Run.objects.all())


def test_a_condition_says_the_same_of_a_row_in_memory_as_the_database(settings: Settings) -> None:
    rows = rows_of_every_sort()
    make_run(rows[0].script, status=Status.RUNNING)
    settings.MIN_FREE_MB = 0
    for is_paused in (False, True):
        situation = Situation(now=NOW)
        situation.is_paused = is_paused
        for condition in PROGRAMS[Kind.SCRIPT].WAITS_FOR:
            waiting = condition.waiting(situation)
            stored = set(Run.objects.filter(waiting).values_list("pk", flat=True))
            in_memory = {run.pk for run in rows if matching.matches(waiting, run)}
            assert in_memory == stored & {run.pk for run in rows}, condition.name


def test_a_full_disk_keeps_every_row_in_memory_too(settings: Settings) -> None:
    run = make_run(make_script())
    settings.MIN_FREE_MB = 10**9
    assert matching.matches(wait_conditions.DISK.waiting(Situation(now=NOW)), run)


def test_every_run_begins_from_the_queue_that_would_have_been_born_under_way(
    launcher: Recorder,
) -> None:
    begun: set[bool] = set()
    for run in rows_of_every_sort():
        Run.objects.all().update(status=Status.SUCCEEDED)
        Run.objects.filter(pk=run.pk).update(status=Status.QUEUED)
        from_queue = admission.would_begin(now=NOW) == [run.pk]
        Run.objects.all().update(status=Status.SUCCEEDED)
        new = Run.objects.get(pk=run.pk)
        new.status = Status.QUEUED
        births.begin([new], now=NOW)
        assert (new.status == Status.STARTING) == from_queue, run.trigger
        begun.add(from_queue)
    assert begun == {True, False}
