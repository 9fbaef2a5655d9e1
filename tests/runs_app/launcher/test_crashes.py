"""kill -9 of this and that: what has to die with it does, what has to go on goes on, and nothing is left behind."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runs_app.launcher import locks
from runs_app.launcher.identity import prctl
from runs_app.launcher.watch import orphans, procfs
from tests import mounts
from tests.runs_app.launcher.harness import LauncherHarness, is_gone, joined, wait_for

SLEEPER = "import time; print('on', flush=True); time.sleep(60)"
# A daemon by the book: double fork, session of its own, deaf to TERM and HUP. Prints its pid.
DAEMON = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print("daemon", os.getpid(), flush=True)
        time.sleep(60)
    os._exit(0)
time.sleep(60)
"""
# Leaves a process in its session that knows nothing of Tempo. Prints its pid.
FORGETFUL = """
import os, time
if os.fork() == 0:
    print("daemon", os.getpid(), flush=True)
    os.execve("/bin/sleep", ["sleep", "30"], {})
time.sleep(60)
"""


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[LauncherHarness]:
    with LauncherHarness(tmp_path / "data") as launcher:
        yield launcher


def daemon_of(launcher: LauncherHarness, folder: str) -> int:
    """The pid that DAEMON has printed."""
    log = launcher.path(folder) / "output.log"
    wait_for(lambda: log.exists() and b"daemon" in log.read_bytes())
    return int(joined(launcher.records_of(folder)).split()[1])


def test_kill_9_of_a_runner_kills_its_whole_tree(launcher: LauncherHarness) -> None:
    other = launcher.run(SLEEPER)
    folder = launcher.run(DAEMON)
    daemon, state = daemon_of(launcher, folder), launcher.state_of(folder)
    os.kill(state["runner_pid"], signal.SIGKILL)

    wait_for(lambda: is_gone(daemon) and is_gone(state["script_pid"]))
    assert not (launcher.path(folder) / "exit.json").exists()
    assert not locks.probe(launcher.path(folder))
    assert not is_gone(launcher.state_of(other)["script_pid"])
    assert launcher.web.ask("ping")["runs"] == 1
    assert f"runner died folder={folder}" in launcher.log()


def test_kill_9_of_the_launcher_takes_web_but_no_run(launcher: LauncherHarness) -> None:
    folder = launcher.run(SLEEPER)
    launcher.wait_for_output(folder, b"on")
    launcher.kill()

    wait_for(lambda: is_gone(launcher.web.pid))
    assert not is_gone(launcher.state_of(folder)["script_pid"])
    assert locks.probe(launcher.path(folder))


def test_a_new_launcher_adopts_and_cancels(launcher: LauncherHarness) -> None:
    folder = launcher.run(SLEEPER)
    launcher.wait_for_output(folder, b"on")
    launcher.kill()
    launcher.start()

    assert launcher.web.ask("adopt", folder=folder)["adopted"]
    assert launcher.web.ask("ping")["runs"] == 1
    assert launcher.web.ask("cancel", folder=folder)["signalled"]
    assert launcher.exit_of(folder)["reason"] == "user"
    wait_for(lambda: launcher.web.ask("ping")["runs"] == 0)


def test_a_run_that_ended_without_a_launcher_has_its_verdict(launcher: LauncherHarness) -> None:
    code = "import os, sys, time\nprint('on', flush=True)\nwhile not os.path.exists('go'): time.sleep(.01)\nsys.exit(7)"
    waits = launcher.run(code)
    launcher.wait_for_output(waits, b"on")
    launcher.kill()
    (launcher.path(waits) / "go").touch()

    assert launcher.exit_of(waits)["exit_code"] == 7


def test_a_new_launcher_shuts_down_what_it_adopted(launcher: LauncherHarness) -> None:
    folder = launcher.run(DAEMON)
    daemon = daemon_of(launcher, folder)
    launcher.kill()
    launcher.start()

    assert launcher.terminate() == 0
    assert launcher.exit_of(folder)["reason"] == "shutdown"
    assert is_gone(daemon)


def test_kill_9_of_an_adopted_runner_kills_its_whole_tree(launcher: LauncherHarness) -> None:
    folder = launcher.run(DAEMON)
    daemon = daemon_of(launcher, folder)
    launcher.kill()
    launcher.start()
    os.kill(launcher.state_of(folder)["runner_pid"], signal.SIGKILL)

    wait_for(lambda: is_gone(daemon))
    assert launcher.web.ask("ping")["runs"] == 0


def test_strays_of_a_launcher_that_died_with_its_runners_are_swept(
    launcher: LauncherHarness,
) -> None:
    folder = launcher.run(DAEMON)
    daemon = daemon_of(launcher, folder)
    launcher.kill()
    os.kill(launcher.state_of(folder)["runner_pid"], signal.SIGKILL)
    assert not is_gone(daemon)

    launcher.start()

    assert is_gone(daemon)


def test_strays_that_cleared_their_environment_are_swept(launcher: LauncherHarness) -> None:
    folder = launcher.run(FORGETFUL)
    sleeper = daemon_of(launcher, folder)
    wait_for(lambda: procfs.environment_value(sleeper, "TEMPO_RUN_FOLDER") is None)
    launcher.kill()
    os.kill(launcher.state_of(folder)["runner_pid"], signal.SIGKILL)
    wait_for(lambda: is_gone(launcher.state_of(folder)["script_pid"]))
    assert not is_gone(sleeper)

    launcher.start()

    assert is_gone(sleeper)


def test_the_sweep_goes_on_while_web_starts_and_before_it_is_heard(
    launcher: LauncherHarness,
) -> None:
    launcher.run(SLEEPER)
    launcher.kill()
    launcher.start()
    assert launcher.web.ask("ping")["runs"] == 1
    lines = launcher.log().splitlines()
    started = [number for number, line in enumerate(lines) if "web started" in line]
    adopted = [number for number, line in enumerate(lines) if "runner adopted" in line]
    assert started[1] < adopted[0]


def test_each_folder_of_a_long_history_is_asked_for_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        folder = tmp_path / f"2026-{1 + number % 3:02}" / f"{number}-abcdef12"
        folder.mkdir(parents=True)
        (folder / "run.json").touch()
    left = tmp_path / "2026-02" / "77-abcdef12"
    left.mkdir()
    state = {"script_pid": 2**22, "script_start": 1, "boot_id": procfs.boot_id()}
    (left / "state.json").write_text(json.dumps(state))
    (tmp_path / "2026-04").write_text("no month")
    asked: list[object] = []
    honest = os.stat

    def stat(path: Any, **options: Any) -> os.stat_result:
        if str(path).endswith("-abcdef12/state.json"):
            asked.append(path)
        return honest(path, **options)

    with monkeypatch.context() as context:
        context.setattr(os, "stat", stat)
        sessions = orphans._recorded_sessions(str(tmp_path))
    assert sessions == {2**22: orphans.Session("2026-02/77-abcdef12", 1)}
    assert len(asked) == 31


@pytest.mark.parametrize(
    "change", [{"script_start": 1}, {"boot_id": "another"}, {"script_start": 2**40}]
)
def test_a_session_whose_number_passed_on_is_spared(
    launcher: LauncherHarness, change: dict[str, object]
) -> None:
    folder = launcher.new_folder([])
    with subprocess.Popen(
        ["/bin/sleep", "60"], start_new_session=True, preexec_fn=prctl.forbid_new_privileges
    ) as other:
        true = {
            "script_pid": other.pid,
            "script_start": procfs.start_time(other.pid),
            "boot_id": procfs.boot_id(),
        }
        state = {**true, "runner_pid": 2**22, "runner_start": 1, **change}
        (launcher.path(folder) / "state.json").write_text(json.dumps(state))
        launcher.kill()
        launcher.start()

        assert other.poll() is None
        other.kill()


def test_the_sweep_spares_the_runs_of_others(launcher: LauncherHarness, tmp_path: Path) -> None:
    other = {"TEMPO_RUN_FOLDER": str(tmp_path / "other" / "runs" / "2026-11" / "1-abcdef")}
    with subprocess.Popen(["/bin/sleep", "60"], env=other) as foreign:
        launcher.kill()
        launcher.start()

        assert foreign.poll() is None
        foreign.kill()


def test_a_runner_that_hangs_does_not_hold_up_the_end(tmp_path: Path) -> None:
    with LauncherHarness(tmp_path, grace_s=0.0) as launcher:
        folder = launcher.run(DAEMON)
        daemon = daemon_of(launcher, folder)
        os.kill(launcher.state_of(folder)["runner_pid"], signal.SIGSTOP)

        assert launcher.terminate() == 0
        wait_for(lambda: is_gone(daemon))
        assert not launcher.survivors()


def test_no_run_begins_whose_verdict_would_find_no_room(tmp_path: Path) -> None:
    with mounts.small_disk(tmp_path / "disk", 1) as disk, LauncherHarness(disk) as launcher:
        folder = launcher.new_folder(["/bin/touch", "executed"])
        filler = mounts.fill(disk)
        runner = launcher.web.ask("start", folder=folder)["pid"]
        wait_for(lambda: is_gone(runner))
        assert not (launcher.path(folder) / "claim").exists(), "so that it may be begun later on"
        filler.unlink()
        assert launcher.web.ask("start", folder=folder)["ok"]
        assert launcher.exit_of(folder)["status"] == "succeeded"
        assert (launcher.path(folder) / "executed").exists()


def test_a_burst_of_runs_is_reaped_to_the_last_one(launcher: LauncherHarness) -> None:
    folders = [launcher.run_argv(["/bin/true"]) for _ in range(50)]

    assert {launcher.exit_of(folder)["status"] for folder in folders} == {"succeeded"}
    wait_for(lambda: launcher.web.ask("ping")["runs"] == 0)
