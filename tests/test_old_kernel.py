"""All goes on as ever on an old kernel: no descriptors of processes before Linux 5.1, no `smaps_rollup` before 4.14."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import old_kernel, processes
from tests.runs_app.launcher.harness import MAIN, LauncherHarness, is_gone
from tests.runs_app.launcher.harness import wait_for as wait_until
from tests.service import Service, wait_for

pytestmark = pytest.mark.slow

SLEEPER = "import time; print('on', flush=True); time.sleep(600)"
# A launcher from whose sight the file is hidden: its runners are forks of it.
WITHOUT_ROLLUP = f"""
import os, runpy, sys
def opened(path, *arguments, real=os.open, **more):
    if str(path).endswith("smaps_rollup"):
        raise FileNotFoundError(2, "No such file or directory", path)
    return real(path, *arguments, **more)
os.open = opened
sys.argv[0] = {str(MAIN)!r}
runpy.run_path(sys.argv[0], run_name="__main__")
"""
SHARING = """
import os, sys, time
block = bytearray(os.urandom(1 << 20)) * 60
for _ in range(3):
    if os.fork() == 0:
        time.sleep(600)
time.sleep(2)
print("shared", flush=True)
if sys.argv[1:]:
    own = bytearray(os.urandom(1 << 20)) * 200
    time.sleep(600)
os.killpg(0, 9)
"""


def test_this_is_such_a_system() -> None:
    code = "import os; os.pidfd_open(os.getpid())"
    command = [*old_kernel.PREFIX, sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert "[Errno 38]" in done.stderr


@pytest.fixture
def old(prepared: Path, tmp_path: Path) -> Iterator[Service]:
    service = Service.copy_of(prepared, tmp_path / "service")
    service.prefix = old_kernel.PREFIX
    with service:
        yield service


def wait_for_output(service: Service, run_id: int) -> None:
    wait_for(lambda: b"on" in processes.log_of(service, run_id), what=f"output of run {run_id}")


def test_runs_begin_are_cancelled_and_are_found_again_after_a_kill(old: Service) -> None:
    assert old.run(old.make_script("Hello", "print('hello')\n"))["status"] == "succeeded"
    slug = old.make_script("Sleeper", SLEEPER)
    first, second, third = (int(old.post(f"/scripts/{slug}/runs")["id"]) for _ in range(3))
    for run_id in (first, second, third):
        wait_for_output(old, run_id)
    old.post(f"/runs/{first}/cancel")
    assert old.finished(first)["status"] == "cancelled"
    processes.kill_launcher(old)
    old.start()
    assert old.get(f"/runs/{second}")["status"] == "running"
    old.post(f"/runs/{second}/cancel")
    assert old.finished(second)["status"] == "cancelled"
    assert not processes.of_run(old, second)
    runner = processes.runner_of(old, third)
    assert old.stop() == 0
    assert not processes.of_runs(old)
    assert not processes.is_running(runner)


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[LauncherHarness]:
    main = tmp_path / "main.py"
    main.write_text(WITHOUT_ROLLUP)
    with LauncherHarness(tmp_path / "data", main=main, prefix=old_kernel.PREFIX) as launcher:
        yield launcher


def test_the_end_of_an_adopted_runner_is_noticed_and_its_tree_goes_along(
    launcher: LauncherHarness,
) -> None:
    folder = launcher.run(SLEEPER)
    launcher.wait_for_output(folder, b"on")
    launcher.kill()
    launcher.start()
    assert launcher.web.ask("ping")["runs"] == 1
    state = launcher.state_of(folder)
    os.kill(state["runner_pid"], signal.SIGKILL)
    wait_until(lambda: is_gone(state["script_pid"]))
    wait_until(lambda: launcher.web.ask("ping")["runs"] == 0)


def test_shared_memory_counts_once(launcher: LauncherHarness) -> None:
    folder = launcher.run(SHARING, limits={"memory_mb": 200})
    verdict = launcher.exit_of(folder)
    assert launcher.records_of(folder)[0].text == b"shared"
    assert (verdict["reason"], verdict["signal"]) == ("signal", "SIGKILL")
    assert verdict["peak_memory_mb"] < 200


def test_memory_of_its_own_ends_it_with_the_exact_figure(launcher: LauncherHarness) -> None:
    argv = [sys.executable, "-I", "-S", "-c", SHARING, "more"]
    folder = launcher.run_argv(argv, limits={"memory_mb": 200})
    verdict = launcher.exit_of(folder)
    assert (verdict["reason"], verdict["signal"]) == ("memory", "SIGKILL")
    assert verdict["message"].startswith("Used 2")
    assert "shared pages counted" not in verdict["message"]
