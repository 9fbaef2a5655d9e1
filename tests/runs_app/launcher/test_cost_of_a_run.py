"""What a run that does nothing costs launcher and runner, in counted calls, which no load on the machine changes."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runs_app.launcher import locks
from tests.runs_app.launcher.harness import LauncherHarness, wait_for
from tests.service import ROOT

COUNTED = Path(__file__).with_name("counted.py")
NEVER, AT_ONCE = "1000", "0"
MAX_OPENED = 8
MAX_CALLS_TO_FORK, MAX_CALLS_TO_EXEC = 950, 50
# Each a quarter to a whole MB of the launcher's memory. `pathlib` came once with one function for a path.
LIMITS = {"memory_mb": 512, "processes": 64, "file_mb": 2048, "open_files": 1024}
ENV = {f"NAME_{number}": "a value" for number in range(20)}
HEAVY = {
    "argparse",
    "asyncio",
    "dataclasses",
    "inspect",
    "logging",
    "pathlib",
    "shutil",
    "subprocess",
    "tempfile",
}
LOADED = """
import sys
sys.path.append(sys.argv[1])
from runs_app.launcher import server
print(*sys.modules)
"""
Count = Callable[..., list[str]]


@contextmanager
def counted(tmp_path: Path, record_after_s: str) -> Iterator[tuple[LauncherHarness, Count]]:
    """A launcher, and a function that starts a program, waits for the runner's end and returns the noted calls."""
    file = tmp_path / "calls"
    env = {"COUNTED_FILE": str(file), "COUNTED_RECORD_AFTER_S": record_after_s}
    with LauncherHarness(tmp_path / "data", main=COUNTED, env=env) as launcher:

        def calls_of_a_run(program: str, **spec: object) -> list[str]:
            file.write_text("")
            wait_for_runner(launcher, launcher.run_argv([program], **spec))
            return file.read_text().splitlines()

        yield launcher, calls_of_a_run


def wait_for_runner(launcher: LauncherHarness, folder: str) -> None:
    launcher.exit_of(folder)
    wait_for(lambda: not locks.probe(launcher.path(folder)))


@pytest.fixture
def calls(tmp_path: Path) -> Iterator[list[str]]:
    with counted(tmp_path, NEVER) as (_launcher, calls_of_a_run):
        yield calls_of_a_run("/bin/true")


def of_kind(calls: list[str], kind: str) -> list[str]:
    return [subject for found, subject in (call.split(" ", 1) for call in calls) if found == kind]


def test_a_run_that_does_nothing_syncs_its_verdict_and_makes_no_file_too_many(
    calls: list[str],
) -> None:
    verdict, folder = of_kind(calls, "sync")
    assert (verdict, folder.endswith("-abcdef12")) == ("exit.json", True)
    assert set(of_kind(calls, "make")) == {"claim", "exit.json.tmp", "lock", "output.log"}
    assert "spec.json" in of_kind(calls, "open")
    assert len(of_kind(calls, "open")) <= MAX_OPENED


def test_the_process_of_a_script_makes_few_calls_before_its_program(tmp_path: Path) -> None:
    # The file of the calls is open to it: it writes down its own.
    isolation = {"uid_why": "none", "write": [str(tmp_path)], "closed": ["/home"]}
    with counted(tmp_path, NEVER) as (_launcher, calls_of_a_run):
        calls = calls_of_a_run("/bin/true", isolation=isolation, limits=LIMITS, env=ENV)
    (to_fork,), (to_exec,) = of_kind(calls, "calls-to-fork"), of_kind(calls, "calls-to-exec")
    assert of_kind(calls, "start-open") == ["/proc/self/oom_score_adj"]
    assert not of_kind(calls, "start-make")
    assert int(to_exec) <= MAX_CALLS_TO_EXEC
    assert int(to_fork) <= MAX_CALLS_TO_FORK


def test_a_run_that_stays_is_written_down_without_a_sync(tmp_path: Path) -> None:
    with counted(tmp_path, AT_ONCE) as (launcher, _calls_of_a_run):
        folder = launcher.run_argv(["/bin/sleep", "60"])
        launcher.state_of(folder)
        launcher.web.ask("cancel", folder=folder)
        wait_for_runner(launcher, folder)
        calls = (tmp_path / "calls").read_text().splitlines()

    assert "state.json.tmp" in of_kind(calls, "make")
    assert len(of_kind(calls, "sync")) == 2


def test_the_launcher_imports_nothing_heavy() -> None:
    command = [sys.executable, "-I", "-S", "-c", LOADED, str(ROOT)]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert "runs_app.launcher.runner" in loaded
    assert HEAVY.isdisjoint(loaded)
