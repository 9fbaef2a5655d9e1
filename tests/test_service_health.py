"""What keeps a run from starting is said by /healthz, and what can be healed is healed at once."""

import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import mounts
from tests.service import ROOT, Service, environment, wait_for

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tempo(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service.copy_of(prepared, tmp_path_factory.mktemp("health") / "service") as service:
        yield service


@pytest.fixture(scope="module")
def slug(tempo: Service) -> str:
    return tempo.make_script("Hello", "print('hello')\n")


def limit_files(pid: int, free: int | None) -> None:
    """Let a process open so many more files; None: as many as this one."""
    _soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    limit = hard if free is None else len(os.listdir(f"/proc/{pid}/fd")) + free  # noqa: PTH208
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, hard))


def test_processes_without_descriptors_are_told_until_they_have_some(
    tempo: Service, slug: str
) -> None:
    web = tempo.web_pid()
    limit_files(tempo.launcher_pid, 2)
    limit_files(web, 30)
    try:
        tempo.wait_for_part("launcher", "can open no more files")
        tempo.wait_for_part("files", "more files (its limit is")
    finally:
        limit_files(tempo.launcher_pid, None)
        limit_files(web, None)
    tempo.wait_for_part("launcher", "ok")
    tempo.wait_for_part("files", "ok")
    assert tempo.run(slug)["status"] == "succeeded"


def test_a_run_starts_right_behind_the_loss_of_its_folders(tempo: Service, slug: str) -> None:
    shutil.rmtree(tempo.data / "runs")

    assert tempo.run(slug, limit_s=20)["status"] == "succeeded"


def test_folders_bells_and_locks_that_are_gone_are_made_anew(tempo: Service, slug: str) -> None:
    runs, run = tempo.data / "runs", tempo.data / "run"
    names = ("state.bell", "service.lock", "engine.lock")
    shutil.rmtree(runs)
    shutil.rmtree(run)
    wait_for(lambda: all((run / name).exists() for name in names), what="the folders")

    assert tempo.run(slug, limit_s=20)["status"] == "succeeded"
    assert [folder.stat().st_mode & 0o777 for folder in (runs, run)] == [0o711, 0o700]
    assert "was gone and was made anew" in tempo.log.read_text()
    command = [sys.executable, str(ROOT / "manage.py"), "serve", "--port", "0"]
    second = subprocess.run(
        command, env=environment(tempo.data), capture_output=True, text=True, timeout=60
    )
    assert second.returncode == 1 and "already runs on the data folder" in second.stderr
    tempo.wait_for_part("folders", "ok")


def test_runs_are_taken_while_the_launcher_is_held_up_and_begin_behind_that(
    tempo: Service, slug: str
) -> None:
    os.kill(tempo.launcher_pid, signal.SIGSTOP)
    try:
        started = [tempo.post(f"/scripts/{slug}/runs") for _ in range(5)]
    finally:
        os.kill(tempo.launcher_pid, signal.SIGCONT)
    assert [run["status"] for run in started] == ["starting"] * 5
    ends = [tempo.finished(run["id"], limit_s=20)["status"] for run in started]
    assert ends == ["succeeded"] * 5


def test_a_disk_without_inodes_is_told_and_holds_the_queue(prepared: Path, tmp_path: Path) -> None:
    with (
        mounts.small_folder(tmp_path / "disk", "size=96m,nr_inodes=4000") as disk,
        Service.copy_of(prepared, disk / "service") as service,
    ):
        slug = service.make_script("Later", "print('later')\n")
        fillers = mounts.use_up_inodes(disk)
        service.wait_for_part("disk", "more files (inodes)")
        status, answer = service.call("POST", f"/scripts/{slug}/runs", {})
        assert status == 409 and "takes only 0 more files" in answer["error"]["message"]
        assert service.call("GET", "/runs")[0] == 200
        shutil.rmtree(fillers)
        service.wait_for_part("disk", "ok")
        assert service.run(slug)["status"] == "succeeded"
