"""Admission: in order, under the cap, each run once."""

import threading
from typing import Any

import psutil
import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from runs_app import control, queueing, triggers
from runs_app.models import Run
from runs_app.states import Kind, Reason, Status, Trigger
from scripts_app import scripts
from scripts_app.models import Environment
from tempo_site.lib import paths
from tests.factories import make_run, make_script

pytestmark = pytest.mark.django_db


class Recorder(control.Launcher):
    """Stands for the launcher and remembers what it was asked to start."""

    def __init__(self) -> None:
        self.started: list[str] = []

    def start(self, folder: str) -> int:
        """Remember a folder."""
        self.started.append(folder)
        return 1


@pytest.fixture
def launcher(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """A launcher that starts nothing."""
    recorder = Recorder()
    monkeypatch.setattr(control, "launcher", recorder)
    return recorder


def test_the_oldest_go_first_and_the_cap_holds(settings: Settings, launcher: Recorder) -> None:
    settings.MAX_CONCURRENT_RUNS = 2
    script = make_script()
    runs = [make_run(script) for _ in range(3)]
    assert queueing.admit(now=timezone.now()) == 2
    assert list(Run.objects.filter(status=Status.STARTING).order_by("pk")) == runs[:2]


def test_a_place_that_becomes_free_is_given_to_the_next(settings: Settings, launcher: Recorder) -> None:
    settings.MAX_CONCURRENT_RUNS = 1
    script = make_script()
    first, second = make_run(script), make_run(script)
    queueing.admit(now=timezone.now())
    Run.objects.filter(pk=first.pk).update(status=Status.SUCCEEDED)
    queueing.admit(now=timezone.now())
    second.refresh_from_db()
    assert second.status == Status.STARTING


def test_an_admitted_run_has_its_folder_with_code_and_spec(launcher: Recorder) -> None:
    run = make_run(make_script(code="print(1)\n"))
    queueing.admit(now=timezone.now())
    run.refresh_from_db()
    folder = paths.run_folder(run.folder)
    assert launcher.started == [run.folder]
    assert ((folder / "main.py").read_text(), (folder / "spec.json").exists()) == ("print(1)\n", True)


def test_a_run_without_environment_waits(launcher: Recorder) -> None:
    make_run(make_script(is_ready=False))
    assert queueing.admit(now=timezone.now()) == 0


def test_a_run_waits_for_the_packages_that_its_version_asks_for(launcher: Recorder) -> None:
    script = make_script()
    before = script.environment
    scripts.update(script, by=None, now=timezone.now(), requirements="requests")
    run = triggers.start(script, trigger=Trigger.API, by="", now=timezone.now())
    assert (run.reason, queueing.admit(now=timezone.now())) == (Reason.ENVIRONMENT, 0)
    Environment.objects.filter(waiting_scripts=script).update(state=Environment.State.FAILED)
    assert queueing.admit(now=timezone.now()) == 1  # a schedule does not stand still for a typing error
    run.refresh_from_db()
    assert (run.environment, run.reason) == (before, "")


def test_a_run_whose_environment_could_not_be_built_fails_with_the_reason() -> None:
    script = make_script(is_ready=False)
    run = make_run(script)
    Environment.objects.update(state=Environment.State.FAILED, message="no version of `reqests` was found")
    queueing.fail_without_environment(now=timezone.now())
    run.refresh_from_db()
    assert (run.status, run.reason) == (Status.FAILED, Reason.ENVIRONMENT)
    assert "reqests" in run.message


def test_builds_go_one_at_a_time_and_outside_the_slots(settings: Settings, launcher: Recorder) -> None:
    settings.MAX_CONCURRENT_RUNS = 1
    script = make_script()
    make_run(script, status=Status.RUNNING)
    environments = [Environment.objects.create(python="3.12.1", interpreter=f"/python{n}") for n in range(2)]
    for environment in environments:
        make_run(kind=Kind.BUILD, environment=environment, trigger=Trigger.BUILD)
    assert queueing.admit(now=timezone.now()) == 1
    assert queueing.admit(now=timezone.now()) == 0


def test_with_little_memory_only_one_run_is_under_way(launcher: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    class Low:
        available = 1

    monkeypatch.setattr(psutil, "virtual_memory", lambda: Low)
    script = make_script()
    for _ in range(3):
        make_run(script)
    assert queueing.admit(now=timezone.now()) == 1


def test_a_launcher_that_is_away_costs_no_run() -> None:
    run = make_run(make_script())
    queueing.admit(now=timezone.now())  # the real client: nothing is connected
    run.refresh_from_db()
    assert run.status == Status.STARTING  # the sweep hands it over again


def test_a_folder_that_cannot_be_written_ends_the_run_with_the_reason(launcher: Recorder) -> None:
    run = make_run(make_script())
    paths.runs().rmdir()
    paths.runs().write_text("no folder")
    queueing.admit(now=timezone.now())
    run.refresh_from_db()
    assert (run.status, run.reason) == (Status.FAILED, Reason.COULD_NOT_START)


@pytest.mark.django_db(transaction=True)
def test_two_at_once_admit_each_run_once(launcher: Recorder) -> None:
    script = make_script()
    for _ in range(10):
        make_run(script)
    together(4, lambda: queueing.admit(now=timezone.now()))
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
