"""What is promised when Tempo is replaced by a newer one while programs of its own are at work: they end as theirs."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.service import ROOT, Service, manage, wait_for

pytestmark = pytest.mark.slow

BEFORE = "0005"  # the migration of runs_app at a3dbc16, which knew no kind `install`
DIGEST = "0123456789abcdef" * 2
BUILD, INSTALLATION = "2026-11/1-0123abcd", "2026-11/2-4567cdef"

ROWS = f"""
from django.utils import timezone
from runs_app.models import Run
from scripts_app import scripts
from scripts_app.models import Environment
now = timezone.now()
script = scripts.create(name="Waiting", code="print(1)", by=None, now=now, requirements="six")
Environment.objects.filter(pk=script.wanted_environment_id).update(state="building")
common = dict(kind="build", trigger="build", status="running", created_at=now, handed_over_at=now, started_at=now,
              timeout_s=1800)
print(Run.objects.create(environment=script.wanted_environment, folder={BUILD!r}, **common).pk)
print(Run.objects.create(by="root", params={{"python": "3.12"}}, folder={INSTALLATION!r}, **common).pk)
ended = common | dict(status="failed", finished_at=now, archived_at=now, announced_at=now)
print(Run.objects.create(**ended).pk)  # a build whose environment was removed since
"""
# A runner of then, as far as others see it: it holds its lock, says who it is, and has the last word at the gate.
RUNNER = """
import json, os, sys, time
sys.path.insert(0, sys.argv[1])
from runs_app.launcher import locks
from runs_app.launcher.watch import procfs
os.chdir(sys.argv[2])
lock = locks.acquire(os.open(".", os.O_RDONLY))
assert lock is not None
open("claim", "w").close()
state = {"v": 1, "runner_pid": os.getpid(), "runner_start": procfs.start_time(os.getpid()), "script_pid": os.getpid(),
         "script_start": procfs.start_time(os.getpid()), "boot_id": procfs.boot_id(), "started_at": time.time(),
         "isolation": {"grade": "basic", "why": "", "degraded": False}}
with open("state.json", "w") as file:
    json.dump(state, file)
while not os.path.exists("gate"):
    time.sleep(0.01)
os.rename("gate", "exit.json")
"""


def spec_of_then(run_id: int, folder: Path, argv: list[str]) -> dict[str, Any]:
    """What that version wrote for a program of Tempo's own."""
    limits = {"memory_mb": 4096, "cpu_s": 0, "processes": 256, "output_bytes": 10 * 2**20}
    return {
        "v": 1,
        "run_id": run_id,
        "kind": "build",
        "timeout_s": 1800,
        "grace_s": 10,
        "limits": limits | {"output_kill_bytes": 0, "file_mb": 0, "open_files": 0, "nice": 5},
        "isolation": None,
        "argv": argv,
        "cwd": str(folder / "tmp"),
        "env": {"TMPDIR": str(folder / "tmp"), "TEMPO_RUN_ID": str(run_id)},
    }


@contextmanager
def runner_at_work(run_id: int, folder: Path, *argv: str) -> Iterator[None]:
    """A run's folder as it was written then, with its runner alive."""
    (folder / "tmp").mkdir(parents=True)
    command = [sys.executable, "-I", "-S", *argv]
    (folder / "spec.json").write_text(json.dumps(spec_of_then(run_id, folder, command)))
    runner = [sys.executable, "-I", "-S", "-c", RUNNER, str(ROOT), str(folder)]
    with subprocess.Popen(runner, start_new_session=True) as process:
        try:
            wait_for((folder / "state.json").exists, what="the runner")
            yield
        finally:
            process.kill()


def say_last_word(folder: Path, **verdict: Any) -> None:
    """Have the runner of a folder write its `exit.json` and end."""
    record = {"v": 1, "exit_code": 0, "signal": "", "message": "", "duration_s": 2.0, **verdict}
    (folder / "verdict").write_text(json.dumps(record))
    (folder / "verdict").rename(folder / "gate")


def test_builds_that_are_alive_across_an_upgrade_are_adopted_and_end_as_what_they_are(
    prepared: Path, tmp_path: Path
) -> None:
    tempo = Service.copy_of(prepared, tmp_path / "service")
    printed = manage(tempo.data, "shell", "-c", ROWS).split()
    build, installation, old_build = (int(pk) for pk in printed[-3:])
    manage(tempo.data, "migrate", "runs_app", BEFORE)
    built, installed = (tempo.data / "runs" / name for name in (BUILD, INSTALLATION))
    driver, installer = ("/scripts_app/build_environment.py", "/scripts_app/install_python.py")
    with (
        runner_at_work(build, built, driver, str(built / "build.json")),
        runner_at_work(installation, installed, installer, "/uv", "3.12"),
        tempo,
    ):
        runs = (build, installation, old_build)
        kinds = [tempo.get(f"/runs/{run}")["kind"] for run in runs]
        assert kinds == ["build", "install", "build"]
        assert tempo.get(f"/runs/{build}")["status"] == "running", "neither lost nor begun again"

        (tempo.data / "envs" / DIGEST).mkdir(parents=True)
        result = {"digest": DIGEST, "lock": "six==1.16.0\n", "python": "3.12.1", "size": 10}
        for place in (built / "built.json", tempo.data / "envs" / DIGEST / "READY"):
            place.write_text(json.dumps(result))
        say_last_word(built, status="succeeded", reason="")
        assert tempo.finished(build)["status"] == "succeeded"
        assert tempo.get("/scripts/waiting")["environment"]["state"] == "ready"

        (installed / "installed.txt").write_text("error: No download found for 3.12")
        say_last_word(installed, status="failed", reason="exit_code", exit_code=1)
        run = tempo.finished(installation)
        assert (run["status"], run["message"]) == ("failed", "error: No download found for 3.12")
