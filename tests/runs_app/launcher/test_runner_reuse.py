"""A runner takes one run after the other: nothing of one meets the next, and it is gone when there is none."""

import os
import select
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runs_app.launcher import locks, runner_registry
from runs_app.launcher.identity import isolation
from runs_app.launcher.identity.users import User
from runs_app.launcher.runner_registry import Runners
from runs_app.launcher.watch.supervision import Supervision
from tests.runs_app.launcher.harness import MAIN, LauncherHarness, is_gone, wait_for

# A launcher whose runners wait for a minute: on a busy machine two seconds may pass between two runs.
PATIENT = f"""
import sys
sys.path.append({str(MAIN.parents[2])!r})
from runs_app.launcher import runner_registry, server
runner_registry._IDLE_S = 60.0
sys.exit(server.main(sys.argv[1:]))
"""
BIG = "kept = bytearray(120 << 20); print(sum(range(3_000_000)))"


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Path:
    main = tmp_path_factory.mktemp("launcher") / "main.py"
    main.write_text(PATIENT)
    return main


@pytest.fixture(scope="module")
def launcher(tmp_path_factory: pytest.TempPathFactory, patient: Path) -> Iterator[LauncherHarness]:
    with LauncherHarness(tmp_path_factory.mktemp("data"), main=patient) as launcher:
        yield launcher


def finished(launcher: LauncherHarness, argv: list[str], **order: object) -> tuple[str, int]:
    """A run from the order to the end of its runner's work: its folder and the runner's pid."""
    folder = launcher.new_folder(argv)
    reply = launcher.web.ask("start", folder=folder, **order)
    assert reply["ok"], reply
    launcher.exit_of(folder)
    # The launcher hears of it a moment after the lock is gone: answers come in turn with what it hears.
    wait_for(lambda: not locks.probe(launcher.path(folder)))
    wait_for(lambda: launcher.web.ask("ping")["runs"] == 0)
    return folder, int(reply["pid"])


def test_each_run_is_told_what_it_used_itself(launcher: LauncherHarness) -> None:
    big = launcher.exit_of(launcher.run(BIG))
    wait_for(lambda: launcher.web.ask("ping")["runs"] == 0)
    small = launcher.exit_of(launcher.run("pass"))
    assert big["peak_memory_mb"] > 100 > small["peak_memory_mb"] > 1
    assert big["cpu_s"] > small["cpu_s"] > 0


def test_a_run_with_secrets_has_a_runner_for_itself(launcher: LauncherHarness) -> None:
    _, first = finished(launcher, ["/bin/true"])
    _, second = finished(launcher, ["/bin/true"])
    _, secret = finished(launcher, ["/bin/true"], secrets={"TOKEN": "not-for-others"})
    _, last = finished(launcher, ["/bin/true"])
    assert first == second == last != secret
    wait_for(lambda: is_gone(secret))


def test_a_runner_that_dies_without_a_run_is_told_so(launcher: LauncherHarness) -> None:
    _, pid = finished(launcher, ["/bin/true"])
    os.kill(pid, signal.SIGKILL)
    said = f"runner died while it waited for another run pid={pid} "
    wait_for(lambda: said in launcher.log())


def test_a_runner_that_was_told_to_stop_gets_no_other_run(launcher: LauncherHarness) -> None:
    folder = launcher.new_folder(["/bin/sleep", "60"])
    stopped = launcher.web.ask("start", folder=folder)["pid"]
    assert launcher.web.ask("cancel", folder=folder)["signalled"]
    assert launcher.exit_of(folder)["reason"] == "user"
    wait_for(lambda: is_gone(stopped))
    assert finished(launcher, ["/bin/true"])[1] != stopped


def test_a_runner_is_not_taken_for_that_of_a_run_before(launcher: LauncherHarness) -> None:
    before = launcher.new_folder(["/bin/sleep", "0.2"])
    runner = launcher.web.ask("start", folder=before)["pid"]
    assert launcher.state_of(before)["runner_pid"] == runner
    launcher.exit_of(before)
    wait_for(lambda: launcher.web.ask("ping")["runs"] == 0)
    assert not launcher.web.ask("adopt", folder=before)["adopted"]
    assert not launcher.web.ask("cancel", folder=before)["signalled"]
    assert finished(launcher, ["/bin/true"])[1] == runner


def test_a_new_launcher_takes_a_runner_for_that_of_its_last_run_alone(
    tmp_path: Path, patient: Path
) -> None:
    with LauncherHarness(tmp_path / "data", main=patient) as launcher:
        before = launcher.new_folder(["/bin/sleep", "0.2"])
        runner = launcher.web.ask("start", folder=before)["pid"]
        assert launcher.state_of(before)["runner_pid"] == runner
        launcher.exit_of(before)
        wait_for(lambda: launcher.web.ask("ping")["runs"] == 0)
        last = launcher.new_folder(["/bin/sleep", "60"])
        assert launcher.web.ask("start", folder=last)["pid"] == runner
        assert launcher.state_of(last)["runner_pid"] == runner
        launcher.kill()
        launcher.start()
        assert not launcher.web.ask("adopt", folder=before)["adopted"]
        assert not launcher.web.ask("cancel", folder=before)["signalled"]
        assert launcher.web.ask("cancel", folder=last)["signalled"]
        assert launcher.exit_of(last)["reason"] == "user"


def test_one_that_was_killed_while_it_waited_takes_no_run_with_it(
    launcher: LauncherHarness,
) -> None:
    _, runner = finished(launcher, ["/bin/true"])
    os.kill(runner, signal.SIGKILL)
    wait_for(lambda: is_gone(runner))
    assert finished(launcher, ["/bin/true"])[1] != runner


@pytest.mark.parametrize("end", [LauncherHarness.terminate, LauncherHarness.kill])
def test_none_outlives_its_launcher_without_a_run(
    launcher: LauncherHarness, tmp_path: Path, end: object
) -> None:
    with LauncherHarness(tmp_path / "data") as short_lived:
        _, runner = finished(short_lived, ["/bin/true"])
        assert callable(end)
        end(short_lived)
        wait_for(lambda: is_gone(runner))


@pytest.fixture
def runners(tmp_path: Path) -> Runners:
    """Those of a launcher in this process."""
    runs = tmp_path / "runs" / "2026-11"
    runs.mkdir(parents=True)
    (tmp_path / "run").mkdir()
    support = isolation.probe(
        pool=(50000, 59999), web=User(os.geteuid(), os.getegid()), data=str(tmp_path)
    )
    runs_fd = os.open(runs.parent, os.O_RDONLY | os.O_CLOEXEC)
    return Runners(data=str(tmp_path), runs_fd=runs_fd, shutdown_grace_s=1, support=support)


def carried_out(runners: Runners, launcher: LauncherHarness, tmp_path: Path) -> int:
    folder = launcher.new_folder(["/bin/true"], cwd="/")
    (launcher.path(folder)).rename(tmp_path / "runs" / folder)
    pid = runners.start(folder, {})
    poll = select.poll()
    for fd in runners.channel_fds():
        poll.register(fd, select.POLLIN)
    ready = {fd for fd, _ in poll.poll(15_000)}
    runners.note_ends_of_runs(ready, time.monotonic())
    return pid


def test_a_runner_keeps_no_file_of_its_runs_and_ends_when_none_comes(
    runners: Runners, launcher: LauncherHarness, tmp_path: Path
) -> None:
    first = carried_out(runners, launcher, tmp_path)
    files = sorted(str(file.readlink()) for file in Path(f"/proc/{first}/fd").iterdir())
    assert carried_out(runners, launcher, tmp_path) == first
    assert sorted(str(file.readlink()) for file in Path(f"/proc/{first}/fd").iterdir()) == files
    assert not [file for file in files if "/runs/" in file]
    now = time.monotonic()
    next_look = runners.end_idle(now)
    assert next_look and next_look - now <= runner_registry._IDLE_S
    assert runners.end_idle(next_look) is None
    assert os.waitpid(first, 0) == (first, 0)
    assert runners.child_exited(first) == "" and len(runners) == 0


def test_one_that_failed_itself_gets_no_other_run(
    runners: Runners, launcher: LauncherHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_supervision: Supervision) -> None:
        raise RuntimeError("broken")

    with monkeypatch.context() as broken:
        broken.setattr(Supervision, "watch", fail)
        first = carried_out(runners, launcher, tmp_path)
    assert os.waitpid(first, 0) == (first, 0)
    assert runners.child_exited(first), "its run is looked at as of any runner that is gone"
    assert carried_out(runners, launcher, tmp_path) != first
    runners.kill()
