"""Admission: in order, under the cap, each run once."""

import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from runs_app import launcher_client
from runs_app.admission import admission, memory
from runs_app.admission.memory import MB
from runs_app.execution import execution, finish
from runs_app.models import Run
from runs_app.programs.wait_conditions import Situation
from runs_app.scheduler import ticker
from runs_app.states import Kind, Reason, Status, Trigger
from runs_app.triggers import triggers
from scripts_app import scripts
from scripts_app.models import Environment, Schedule, Script
from tempo_site.lib import machine, paths
from tempo_site.stored_settings import store
from tests.factories import NOW, make_run, make_schedule, make_script

pytestmark = pytest.mark.django_db


class Recorder(launcher_client.LauncherClient):
    """Stands for the launcher and remembers what it was asked to start."""

    def __init__(self) -> None:
        self.started: list[str] = []

    def start(self, folder: str, *, secrets: Mapping[str, str] | None = None) -> int:
        """Remember a folder."""
        self.started.append(folder)
        return 1


@pytest.fixture
def launcher(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """A launcher that starts nothing."""
    recorder = Recorder()
    monkeypatch.setattr(launcher_client, "launcher", recorder)
    return recorder


def test_the_oldest_go_first_and_the_cap_holds(settings: Settings, launcher: Recorder) -> None:
    settings.MAX_CONCURRENT_RUNS = 2
    script = make_script()
    runs = [make_run(script) for _ in range(3)]
    assert admission.admit(now=timezone.now()) == 2
    assert list(Run.objects.filter(status=Status.STARTING).order_by("pk")) == runs[:2]


def test_a_cap_that_staff_saved_holds_at_once(launcher: Recorder) -> None:
    script = make_script()
    for _ in range(3):
        make_run(script)
    store.save({"PYSCHED_MAX_CONCURRENT_RUNS": 1}, by="root")
    assert admission.admit(now=timezone.now()) == 1
    store.save({"PYSCHED_MAX_CONCURRENT_RUNS": 3}, by="root")
    assert admission.admit(now=timezone.now()) == 2


def test_a_place_that_becomes_free_is_given_to_the_next(
    settings: Settings, launcher: Recorder
) -> None:
    settings.MAX_CONCURRENT_RUNS = 1
    script = make_script()
    first, second = make_run(script), make_run(script)
    admission.admit(now=timezone.now())
    Run.objects.filter(pk=first.pk).update(status=Status.SUCCEEDED)
    admission.admit(now=timezone.now())
    second.refresh_from_db()
    assert second.status == Status.STARTING


def test_an_admitted_run_has_its_folder_with_code_and_spec(launcher: Recorder) -> None:
    run = make_run(make_script(code="print(1)\n"))
    admission.admit(now=timezone.now())
    run.refresh_from_db()
    folder = paths.run_folder(run.folder)
    assert launcher.started == [run.folder]
    assert ((folder / "main.py").read_text(), (folder / "spec.json").exists()) == (
        "print(1)\n",
        True,
    )


def test_a_run_without_environment_waits(launcher: Recorder) -> None:
    make_run(make_script(is_ready=False))
    assert admission.admit(now=timezone.now()) == 0


def test_a_run_waits_for_the_packages_that_its_version_asks_for(launcher: Recorder) -> None:
    script = make_script()
    before = script.environment
    scripts.update(script, by=None, now=timezone.now(), requirements="requests")
    run = triggers.start(script, trigger=Trigger.API, by="", now=timezone.now())
    assert (run.reason, admission.admit(now=timezone.now())) == (Reason.ENVIRONMENT, 0)
    Environment.objects.filter(waiting_scripts=script).update(state=Environment.State.FAILED)
    # a schedule does not stand still for a typing error
    assert admission.admit(now=timezone.now()) == 1
    run.refresh_from_db()
    assert (run.environment, run.reason) == (before, "")


def test_a_run_whose_environment_could_not_be_built_fails_with_the_reason() -> None:
    script = make_script(is_ready=False)
    run = make_run(script)
    Environment.objects.update(
        state=Environment.State.FAILED, message="no version of `reqests` was found"
    )
    admission.fail_without_environment(now=timezone.now())
    run.refresh_from_db()
    assert (run.status, run.reason) == (Status.FAILED, Reason.ENVIRONMENT)
    assert "reqests" in run.message


def test_builds_go_one_at_a_time_and_outside_the_slots(
    settings: Settings, launcher: Recorder
) -> None:
    settings.MAX_CONCURRENT_RUNS = 1
    script = make_script()
    make_run(script, status=Status.RUNNING)
    environments = [
        Environment.objects.create(python="3.12.1", interpreter=f"/python{n}") for n in range(2)
    ]
    for environment in environments:
        make_run(kind=Kind.BUILD, environment=environment, trigger=Trigger.BUILD)
    assert admission.admit(now=timezone.now()) == 1
    assert admission.admit(now=timezone.now()) == 0


def test_with_little_memory_only_one_run_is_under_way(
    launcher: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    low = machine.MachineMemory(total=2**30, available=1)
    monkeypatch.setattr(machine, "memory", lambda: low)
    script = make_script()
    for _ in range(3):
        make_run(script)
    assert admission.admit(now=timezone.now()) == 1


def test_a_launcher_that_is_away_costs_no_run() -> None:
    run = make_run(make_script())
    admission.admit(now=timezone.now())  # the real client: nothing is connected
    run.refresh_from_db()
    assert run.status == Status.STARTING  # the sweep hands it over again


def test_a_folder_that_cannot_be_written_ends_the_run_with_the_reason(launcher: Recorder) -> None:
    run = make_run(make_script())
    paths.runs().rmdir()
    paths.runs().write_text("no folder")
    admission.admit(now=timezone.now())
    run.refresh_from_db()
    assert (run.status, run.reason) == (Status.FAILED, Reason.COULD_NOT_START)


@pytest.mark.django_db(transaction=True)
def test_two_at_once_admit_each_run_once(launcher: Recorder) -> None:
    script = make_script()
    for _ in range(10):
        make_run(script)
    together(4, lambda: admission.admit(now=timezone.now()))
    assert sorted(launcher.started) == sorted(set(launcher.started))
    assert len(launcher.started) == 10


def together(count: int, body: Any) -> None:
    """Call `body` in threads that begin at the same moment."""
    gate = threading.Barrier(count)

    def one() -> None:
        gate.wait()
        body()
        connection.close()

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# --- order ---------------------------------------------------------------------------------------------------------
def test_the_due_moment_decides_and_birth_where_there_is_none(
    settings: Settings, launcher: Recorder
) -> None:
    script, now = make_script(), timezone.now()
    late = make_run(script, created_at=now)
    born_earlier = make_run(script, created_at=now - timedelta(minutes=2))
    due_first = make_run(script, created_at=now, due_at=now - timedelta(minutes=3))
    same_moment = make_run(script, created_at=now)
    assert list(admission.queued(Kind.SCRIPT)) == [due_first, born_earlier, late, same_moment]


def test_a_run_that_waits_for_its_environment_blocks_nobody(
    settings: Settings, launcher: Recorder
) -> None:
    settings.MAX_CONCURRENT_RUNS = 1
    make_run(make_script("Waiting", is_ready=False))
    ready = make_run(make_script("Ready"))
    assert [run.pk for run in admission.claim(now=timezone.now())] == [ready.pk]


# --- memory --------------------------------------------------------------------------------------------------------
@pytest.fixture
def available(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Says how many megabytes are available."""
    return lambda mb: monkeypatch.setattr(memory, "available_mb", lambda: mb)


def begun(launcher: Recorder) -> list[int]:
    """The runs that were handed over, in order."""
    return [int(folder.split("/")[1].split("-")[0]) for folder in launcher.started]


def test_admission_waits_while_less_is_available_than_the_next_run_may_need(
    launcher: Recorder, available: Callable[[int], None]
) -> None:
    script = make_script()
    runs = [make_run(script, memory_mb=500) for _ in range(3)]
    available(1100)
    admission.admit(now=timezone.now())
    assert begun(launcher) == [run.pk for run in runs[:2]]


def test_where_nothing_is_under_way_the_next_run_always_begins(
    launcher: Recorder, available: Callable[[int], None]
) -> None:
    script = make_script()
    runs = [make_run(script, memory_mb=500) for _ in range(2)]
    available(10)
    admission.admit(now=timezone.now())
    assert begun(launcher) == [runs[0].pk]


def test_a_small_run_does_not_overtake_a_large_one(
    launcher: Recorder, available: Callable[[int], None]
) -> None:
    script = make_script()
    make_run(script, status=Status.RUNNING)
    make_run(script, memory_mb=4000)
    make_run(script, memory_mb=16)
    available(1000)
    assert admission.admit(now=timezone.now()) == 0


def test_what_was_promised_to_a_run_of_a_moment_ago_is_not_available(
    launcher: Recorder, available: Callable[[int], None]
) -> None:
    script, now = make_script(), timezone.now()
    young = make_run(
        script, status=Status.RUNNING, memory_mb=700, handed_over_at=now - timedelta(seconds=1)
    )
    make_run(script, memory_mb=500)
    available(1000)
    assert admission.admit(now=now) == 0
    # it holds its memory by now
    Run.objects.filter(pk=young.pk).update(handed_over_at=now - admission.PROMISED_FOR)
    assert admission.admit(now=now) == 1


@pytest.mark.parametrize(
    ("limit_mb", "peaks_mb", "need_mb"),
    [
        (512, [], 512),  # nothing is known
        (512, [100.0, 60.0], 150),  # half as much again as the largest
        (512, [500.0], 512),  # never more than the limit
        (512, [0.0], 512),  # could not be started: says nothing
        (512, [3.0], memory.MIN_MB),
        (0, [1000.0], 1500),  # without a limit
        (0, [], memory.MIN_MB),
    ],
)
def test_what_a_run_may_need(limit_mb: int, peaks_mb: list[float], need_mb: int) -> None:
    script = make_script()
    for peak in peaks_mb:
        make_run(script, status=Status.SUCCEEDED, peak_memory_mb=peak)
    run = make_run(script, memory_mb=limit_mb)
    assert memory.needs_mb([run]) == {run.pk: need_mb}


def test_only_the_last_runs_of_the_same_script_count() -> None:
    script, other = make_script(), make_script("Other")
    make_run(other, status=Status.SUCCEEDED, peak_memory_mb=900)
    make_run(script, status=Status.SUCCEEDED, peak_memory_mb=800)
    for _ in range(memory.LAST_RUNS):
        make_run(script, status=Status.SUCCEEDED, peak_memory_mb=100)
    run = make_run(script, memory_mb=1000)
    assert memory.needs_mb([run]) == {run.pk: 150}


def test_a_long_queue_hides_no_history() -> None:
    script = make_script()
    make_run(script, status=Status.SUCCEEDED, peak_memory_mb=100)
    runs = [make_run(script, memory_mb=1000) for _ in range(2 * memory.LAST_RUNS)]
    assert set(memory.needs_mb(runs).values()) == {150}


def test_needs_cost_one_query_for_all_and_none_where_the_limits_fit() -> None:
    scripts = [make_script(f"Script {number}") for number in range(5)]
    runs = [make_run(script, memory_mb=500) for script in scripts]
    with CaptureQueriesContext(connection) as asked:
        memory.needs_mb(runs)
    assert len(asked) == 1
    with CaptureQueriesContext(connection) as asked:
        memory.needs_mb(runs, enough_mb=2500)
    assert len(asked) == 0


def test_the_limit_of_a_container_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    group = tmp_path / "system.slice" / "tempo.service"
    group.mkdir(parents=True)
    for name, text in (
        ("max", 300 * MB),
        ("current", 250 * MB),
        ("stat", f"anon 1\ninactive_file {20 * MB}\n"),
    ):
        (group / f"memory.{name}").write_text(f"{text}\n")
    (tmp_path / "own").write_text("0::/system.slice/tempo.service\n")
    monkeypatch.setattr(memory, "CGROUPS", tmp_path)
    monkeypatch.setattr(memory, "OWN_CGROUP", tmp_path / "own")
    assert memory.available_mb() == 70
    (group / "memory.max").write_text("max\n")
    assert memory.available_mb() > 70


# --- disk ----------------------------------------------------------------------------------------------------------
def test_below_the_floor_of_the_disk_nothing_begins(settings: Settings, launcher: Recorder) -> None:
    make_run(make_script())
    settings.MIN_FREE_MB = 10**9
    assert admission.admit(now=timezone.now()) == 0
    settings.MIN_FREE_MB = 0
    assert admission.admit(now=timezone.now()) == 1


# --- a long queue --------------------------------------------------------------------------------------------------
def queue_up(script: Script, count: int) -> None:
    """Many rows at once."""
    now = timezone.now()
    facts: dict[str, Any] = {
        "version": script.version,
        "trigger": Trigger.API,
        "created_at": now,
        "memory_mb": 512,
    }
    Run.objects.bulk_create([Run(script=script, **facts) for _ in range(count)])


def cost_of(act: Callable[[], object]) -> tuple[int, int]:
    """(queries, steps of SQLite's machine in hundreds) of an act: what it costs, whatever else this computer does."""
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    connection.ensure_connection()
    connection.connection.set_progress_handler(count, 100)
    try:
        with CaptureQueriesContext(connection) as asked:
            act()
    finally:
        connection.connection.set_progress_handler(None, 0)
    return len(asked), steps


def test_admission_costs_the_same_however_long_the_queue_is(
    settings: Settings, launcher: Recorder, available: Callable[[int], None]
) -> None:
    settings.MAX_CONCURRENT_RUNS = 2
    available(600)  # so that the peaks are asked for
    script = make_script()
    costs = []
    for length in (10, 2000):
        queue_up(script, length)
        costs.append(cost_of(lambda: admission.choose_next(Situation(now=timezone.now()))))
    (queries, steps), (queries_later, steps_later) = costs
    assert queries_later == queries
    # each query rounds; a look at every entry would be some hundreds more
    assert steps_later <= steps + 20


def test_ending_what_waits_in_vain_reads_the_queue_s_index_alone() -> None:
    script = make_script()
    queue_up(script, 2000)
    _, steps = cost_of(lambda: admission.fail_without_environment(now=timezone.now()))
    # some steps an entry; a look at each row with its script takes a hundred
    assert steps < 2000 * 20 / 100


def test_a_run_in_the_middle_of_a_long_queue_can_be_cancelled(
    settings: Settings, launcher: Recorder
) -> None:
    settings.MAX_CONCURRENT_RUNS = 1
    script = make_script()
    queue_up(script, 1000)
    ids = list(admission.queued(Kind.SCRIPT).values_list("pk", flat=True))
    assert execution.cancel(Run.objects.get(pk=ids[1]), by="ann", now=timezone.now())
    for expected in (ids[0], ids[2]):
        (run,) = admission.claim(now=timezone.now())
        assert run.pk == expected
        Run.objects.filter(pk=run.pk).update(status=Status.SUCCEEDED)


@pytest.mark.parametrize(("overlap", "begun"), [("skip", 1), ("queue_one", 1), ("parallel", 3)])
def test_what_is_owed_after_a_gap_begins_one_after_the_other(overlap: str, begun: int) -> None:
    make_schedule(every_s=60, overlap=overlap, missed=Schedule.Missed.ALL)
    while ticker.step(now=NOW + timedelta(minutes=3)):
        pass
    assert Run.objects.count() == 3
    assert len(admission.claim(now=NOW + timedelta(minutes=3))) == begun


def test_admission_never_looks_through_the_history_of_a_script() -> None:
    schedule = make_schedule(every_s=60)
    make_run(schedule.script, status=Status.RUNNING)
    with CaptureQueriesContext(connection) as queries:
        admission.choose_next(Situation(now=NOW))
    with connection.cursor() as cursor:
        plans = [
            str(cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}").fetchall())
            for query in queries
        ]
    assert any("run_queue" in plan for plan in plans)
    assert not [plan for plan in plans if "run_of_script" in plan]


def test_two_hundred_that_wait_begin_in_their_order_and_each_once(
    settings: Settings, launcher: Recorder
) -> None:
    settings.MAX_CONCURRENT_RUNS = 20
    script = make_script()
    waiting = [make_run(script, memory_mb=32).pk for _ in range(200)]
    begun: list[int] = []
    while found := admission.claim(now=NOW):
        begun += [run.pk for run in found]
        assert Run.objects.under_way().count() <= 20
        assert admission.claim(now=NOW) == []  # as a second worker that was woken meanwhile
        for run in found:
            assert finish.end(run, Status.SUCCEEDED, now=NOW)
    assert begun == waiting
