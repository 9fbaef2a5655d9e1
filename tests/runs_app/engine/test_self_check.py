"""The look at the service: the queue that stands still, folders that are gone, checks that cannot look."""

import errno
import os
import shutil
import time
from pathlib import Path

import pytest
from pytest_django import Settings

from runs_app import disk_space
from runs_app.engine import data_folders, engine, self_check
from runs_app.engine.queue_check import STUCK_S, QueueCheck
from runs_app.engine.self_check import SelfCheck
from runs_app.states import Status
from tempo_site.lib import machine, paths
from tests import mounts
from tests.factories import NOW, make_run, make_script

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")


class Clock:
    """A monotonic clock that a test turns."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.moment = 1000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.moment)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


# --- the queue ------------------------------------------------------------------------------------------------------
def why_stuck_after(clock: Clock, check: QueueCheck, waited_s: float) -> str:
    check.why_stuck(now=NOW)
    clock.moment += waited_s
    return check.why_stuck(now=NOW)


@pytest.mark.django_db
def test_a_run_that_was_admitted_and_does_not_begin_is_told(clock: Clock) -> None:
    run = make_run(make_script(), status=Status.STARTING, handed_over_at=NOW)
    check = QueueCheck()

    assert why_stuck_after(clock, check, STUCK_S) == ""
    clock.moment += 15
    assert check.why_stuck(now=NOW) == (
        f"run #{run.pk} should have begun 75 s ago: the queue stands still"
    )


@pytest.mark.django_db
def test_a_queued_run_that_has_a_place_and_is_not_admitted_is_told(clock: Clock) -> None:
    run = make_run(make_script("Ready"))

    assert f"run #{run.pk} should have begun" in why_stuck_after(clock, QueueCheck(), STUCK_S + 1)


@pytest.mark.django_db
def test_a_run_that_waits_for_a_place_or_its_environment_is_in_order(
    clock: Clock, settings: Settings
) -> None:
    settings.MAX_CONCURRENT_RUNS = 1
    make_run(make_script(), status=Status.RUNNING, started_at=NOW)
    make_run(make_script("Ready"))
    make_run(make_script("Not built", is_ready=False))

    assert why_stuck_after(clock, QueueCheck(), 10 * STUCK_S) == ""


@pytest.mark.django_db
def test_runs_that_follow_each_other_are_no_stuck_queue(clock: Clock) -> None:
    check = QueueCheck()
    for _ in range(10):
        run = make_run(make_script(), status=Status.STARTING, handed_over_at=NOW)
        assert why_stuck_after(clock, check, STUCK_S / 3) == ""
        run.delete()


# --- folders --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["runs", "run"])
def test_a_folder_that_is_gone_is_made_anew(data_folder: Path, name: str) -> None:
    mode = (data_folder / name).stat().st_mode
    shutil.rmtree(data_folder / name)

    assert data_folders.heal() == ""
    assert (data_folder / name).stat().st_mode == mode


def test_nothing_is_made_in_the_place_of_a_disk_that_was_unmounted(data_folder: Path) -> None:
    shutil.rmtree(data_folder)
    data_folder.mkdir()

    assert "was its disk unmounted?" in data_folders.heal()
    assert list(data_folder.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told_at_once(data_folder: Path) -> None:
    (data_folder / "runs").rmdir()
    (data_folder / "runs").write_text("in its way")
    check = SelfCheck()
    check.findings = dict.fromkeys(self_check.PARTS, "ok")
    check.heal_folders()

    assert check.findings["folders"].startswith("`runs/` in the data folder cannot be made: ")


def test_a_lock_that_was_deleted_is_held_again(data_folder: Path) -> None:
    lock = engine.take_lock(wait_s=0)
    paths.engine_lock().unlink()

    assert not engine.is_running()
    assert data_folders.hold_again(lock, paths.engine_lock()) == ""
    assert engine.is_running()
    os.close(lock)


def test_a_lock_that_another_took_meanwhile_is_told(data_folder: Path) -> None:
    lock = engine.take_lock(wait_s=0)
    paths.engine_lock().unlink()
    other = engine.take_lock(wait_s=0)

    assert "another engine works on" in data_folders.hold_again(lock, paths.engine_lock())
    os.close(lock)
    os.close(other)


# --- files and disk -------------------------------------------------------------------------------------------------
@pytest.mark.django_db
def test_a_check_that_cannot_look_says_why_and_stops_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(machine, "open_files", fail)
    monkeypatch.setattr(machine.ProcessorMeter, "percent", fail)
    check = SelfCheck()
    check.look(now=NOW)

    assert check.findings["files"] == "Tempo may open no more files"
    assert check.findings["database"] == check.findings["disk"] == "ok"


@needs_root
def test_a_full_disk_is_told_whatever_the_floor_is(tmp_path: Path, settings: Settings) -> None:
    settings.DATA_PATH = tmp_path / "small"
    with mounts.small_disk(settings.DATA_PATH, 1):
        assert disk_space.why_nothing_starts() == ""
        mounts.fill(settings.DATA_PATH)
        assert disk_space.why_nothing_starts() == "the disk of the data folder is full"


@needs_root
def test_a_disk_with_few_inodes_is_told(tmp_path: Path, settings: Settings) -> None:
    settings.DATA_PATH = tmp_path / "small"
    with mounts.small_folder(settings.DATA_PATH, "size=1m,nr_inodes=50"):
        assert "takes only 49 more files (inodes)" in disk_space.why_nothing_starts()
