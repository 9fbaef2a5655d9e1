"""What is promised when the disk is full, or cannot be written to: nothing crashes, all is told, and it passes."""

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import mounts, processes
from tests.service import ROOT, Service, environment, manage, wait_for
from tests.test_live import session_cookie

pytestmark = pytest.mark.slow

LIMIT_S = 30.0  # /healthz looks at the disk every 10 s
QUIET = """
import pathlib, time
print("begun", flush=True)
while pathlib.Path("gate").exists():
    time.sleep(0.02)
"""
TALKER = """
import time
while True:
    print("x" * 100_000, flush=True)
    time.sleep(0.02)
"""


def start_quiet(service: Service) -> tuple[int, Path]:
    """A run that is at work until its gate is removed: nothing has to be written for that."""
    slug = service.make_script("Quiet", QUIET)
    gate = service.data / "scripts" / slug / "files" / "gate"
    gate.parent.mkdir(exist_ok=True)
    gate.touch()
    run_id = int(service.post(f"/scripts/{slug}/runs")["id"])
    wait_for(
        lambda: service.get(f"/runs/{run_id}")["status"] == "running",
        what="the row of the quiet run",
    )
    return run_id, gate


class Readers:
    """Somebody with a key that was not used before, and somebody who is signed in."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.token = manage(service.data, "createkey", "new").strip()
        self.cookie = session_cookie(service)

    def read_everything(self, slug: str) -> None:
        for path in ("/runs", f"/scripts/{slug}", "/system"):
            status, answer = self.service.call("GET", path, Authorization=f"Bearer {self.token}")
            assert status == 200, answer
        for path in ("/", "/scripts/", f"/scripts/{slug}/", "/runs/", "/environments/", "/admin/"):
            request = urllib.request.Request(f"{self.service.url}{path}")
            request.add_header("Cookie", self.cookie)
            with urllib.request.urlopen(request, timeout=30) as answer:
                assert answer.status == 200 and "/login/" not in answer.url, path


# --- full ----------------------------------------------------------------------------------------------------------
@pytest.fixture
def cramped(prepared: Path, tmp_path: Path) -> Iterator[Service]:
    """A Tempo on a disk of 96 MB, which wants 20 MB to be free."""
    with (
        mounts.small_disk(tmp_path / "disk", 96) as disk,
        Service.copy_of(prepared, disk / "service", PYSCHED_MIN_FREE_MB="20") as service,
    ):
        yield service


def test_a_disk_that_fills_up_ends_who_writes_on_and_nobody_else(cramped: Service) -> None:
    quiet, gate = start_quiet(cramped)
    talker = cramped.make_script("Talker", TALKER)
    talking = int(cramped.post(f"/scripts/{talker}/runs")["id"])
    wait_for(lambda: processes.log_of(cramped, talking), what="its output")
    web = cramped.web_pid()
    filler = mounts.fill(cramped.data)
    wait_for(
        lambda: not processes.of_run(cramped, talking),
        what="the end of the one that writes on",
        limit_s=LIMIT_S,
    )
    cramped.wait_for_part("disk", "free on the disk")
    status, answer = cramped.call("POST", f"/scripts/{talker}/runs", {})
    assert 400 <= status < 600 and status != 500, answer
    gate.unlink()
    wait_for(lambda: not processes.of_run(cramped, quiet), what="the end of the quiet one")
    filler.unlink()
    assert cramped.finished(quiet)["status"] == "succeeded"
    run = cramped.finished(talking)
    assert (run["status"], run["reason"]) == ("failed", "disk")
    assert cramped.web_pid() == web, "web has not crashed"
    cramped.wait_for_part("disk", "ok")
    assert cramped.run(cramped.make_script("After", "print('after')\n"))["status"] == "succeeded"


# Ends when its gate is removed, and leaves 6 MB in its `tmp/`.
LITTERER = (
    """
import os, pathlib, time
pathlib.Path(os.environ["TMPDIR"], "litter").write_bytes(os.urandom(6 << 20))
"""
    + QUIET
)


def start_litterer(service: Service) -> tuple[int, Path, Path]:
    """A run with its gate, and what it leaves behind."""
    slug = service.make_script("Litterer", LITTERER)
    gate = service.data / "scripts" / slug / "files" / "gate"
    gate.parent.mkdir(exist_ok=True)
    gate.touch()
    run_id = int(service.post(f"/scripts/{slug}/runs")["id"])
    wait_for(lambda: b"begun" in processes.log_of(service, run_id), what="its litter")
    return run_id, gate, processes.folder_of(service, run_id) / "tmp"


def test_a_full_disk_cleans_itself(cramped: Service) -> None:
    ballast = cramped.data / "ballast"
    wait_for(ballast.exists, what="the ballast")
    ended, gate, litter = start_litterer(cramped)
    killed, _, other_litter = start_litterer(cramped)
    fillers = [mounts.fill(cramped.data)]
    wait_for(lambda: not ballast.exists(), what="the ballast to be given up", limit_s=LIMIT_S)
    gate.unlink()
    wait_for(lambda: not litter.exists(), what="the runner to empty tmp/")
    assert cramped.finished(ended)["status"] == "succeeded"
    fillers.append(mounts.fill(cramped.data, "filler-2"))
    os.kill(processes.runner_of(cramped, killed), signal.SIGKILL)
    wait_for(lambda: not other_litter.exists(), what="tmp/ of a dead runner to go")
    assert cramped.finished(killed)["status"] == "lost"
    for filler in fillers:
        assert filler.exists(), "nobody else has made room"
        filler.unlink()
    wait_for(ballast.exists, what="another ballast")
    wait_for(
        lambda: (processes.folder_of(cramped, killed) / "run.json").exists(),
        what="the archive that was put off",
    )


# --- read-only -----------------------------------------------------------------------------------------------------
def test_it_does_not_start_on_a_data_folder_that_cannot_be_written_to(
    prepared: Path, tmp_path: Path
) -> None:
    service = Service.copy_of(prepared, tmp_path / "service")
    command = [sys.executable, str(ROOT / "manage.py"), "serve", "--port", str(service.port)]
    with mounts.read_only(service.data):
        done = subprocess.run(
            command, env=environment(service.data), capture_output=True, text=True, timeout=60
        )
    assert done.returncode == 1
    assert (
        f"The data folder {service.data} " in done.stderr and "Read-only file system" in done.stderr
    )
    assert "Traceback" not in done.stderr


def test_a_disk_that_is_read_only_for_a_while_is_told_and_holds_the_queue(service: Service) -> None:
    quiet, gate = start_quiet(service)
    slug = service.make_script("Later", "print('later')\n")
    web, readers = service.web_pid(), Readers(service)
    with mounts.read_only(service.data):
        service.wait_for_part("disk", "cannot be written to")
        status, answer = service.call("POST", f"/scripts/{slug}/runs", {})
        waiting = [int(answer["id"])] if status == 202 else []
        assert status == 202 or 400 <= status < 500 or status == 503, answer
        readers.read_everything(slug)
        for run_id in waiting:
            assert "cannot be written to" in service.get("/queue")["items"][0]["waits_for"]
            assert service.get(f"/runs/{run_id}")["status"] == "queued"
    gate.unlink()
    for run_id in (quiet, *waiting):
        assert service.finished(run_id)["status"] == "succeeded"
    service.wait_for_part("disk", "ok")
    assert service.web_pid() == web, "web has not crashed"
    assert service.run(slug)["status"] == "succeeded"


def test_a_disk_that_fails_under_open_files_is_told_and_all_goes_on_once_it_is_repaired(
    prepared: Path, tmp_path: Path
) -> None:
    disk = mounts.LoopDisk(tmp_path, 96)
    try:
        with Service.copy_of(prepared, disk.path / "service") as service:
            service.log = tmp_path / "service.log"  # of no interest to the disk
            quiet, _ = start_quiet(service)
            slug = service.make_script("Later", "print('later')\n")
            web, readers = service.web_pid(), Readers(service)
            os.sync()  # the test copied its files there and waited for no disk, as Tempo does
            disk.fail()
            service.wait_for_part("disk", "cannot be written to")
            status, answer = service.call("POST", f"/scripts/{slug}/runs", {})
            said = answer["error"]["message"]
            # Newer kernels leave the mount writable by name, and refuse each write with an error.
            assert status == 503 and (
                "disk of the data folder fails" in said or "cannot be" in said
            )
            readers.read_everything(slug)
            assert service.web_pid() == web, "web has not crashed"
            assert service.stop() == 0
            assert processes.of_service(service) | processes.of_runs(service) == set()
            disk.repair()
            service.start()
            assert service.finished(quiet)["status"] in ("lost", "cancelled")
            assert service.run(slug)["status"] == "succeeded"
    finally:
        disk.close()
