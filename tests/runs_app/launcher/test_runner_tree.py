"""The whole tree ends: by itself, by the clock, by request, and whatever it does against it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from runs_app.launcher import bells, forking, runner
from runs_app.launcher.identity import isolation
from runs_app.launcher.identity.users import User
from runs_app.launcher.watch import procfs, supervision, tree
from tests.runs_app.launcher.harness import LauncherHarness, is_gone, joined, wait_for
from tests.runs_app.launcher.test_crashes import DAEMON, daemon_of

SUPPORT = isolation.probe(pool=(50000, 59999), web=User(os.geteuid(), os.getegid()), data="/tmp")


@pytest.fixture(scope="module")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LauncherHarness]:
    with LauncherHarness(tmp_path_factory.mktemp("data")) as launcher:
        yield launcher
        wait_for(lambda: not launcher.survivors())


def test_a_list_of_children_is_read_to_its_end() -> None:
    # Such a list comes in whole entries, so that a read returns less than was asked for and is not the end.
    code = """
import os, signal
for _ in range(1100):
    if os.fork() == 0:
        signal.pause()
print("on", flush=True)
signal.pause()
"""
    argv = [sys.executable, "-I", "-S", "-c", code]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=True) as parent:
        try:
            assert parent.stdout and parent.stdout.readline() == b"on\n"
            assert len(procfs.children(parent.pid)) == 1100
        finally:
            os.killpg(parent.pid, signal.SIGKILL)


def test_cancel_ends_a_deaf_daemon_too(launcher: LauncherHarness) -> None:
    folder = launcher.run(DAEMON, grace_s=0.2)
    daemon = daemon_of(launcher, folder)
    launcher.web.ask("cancel", folder=folder)
    told = launcher.exit_of(folder)

    assert (told["status"], told["reason"], told["signal"]) == ("cancelled", "user", "SIGKILL")
    assert is_gone(daemon)


def test_cancel_gives_the_script_time_to_end_by_itself(launcher: LauncherHarness) -> None:
    code = """
import os, signal, time
signal.signal(15, lambda *_: (os.write(1, b"cleaned up\\n"), os._exit(5)))
print("on", flush=True)
time.sleep(60)
"""
    folder = launcher.run(code, grace_s=60)
    launcher.wait_for_output(folder, b"on")
    launcher.web.ask("cancel", folder=folder)
    told = launcher.exit_of(folder)

    assert (told["status"], told["exit_code"], told["signal"]) == ("cancelled", 5, None)
    assert [(r.stream, r.text) for r in launcher.records_of(folder)][1:] == [
        ("S", b"Cancelled"),
        ("O", b"cleaned up"),
    ]


def test_the_time_limit_ends_it(launcher: LauncherHarness) -> None:
    folder = launcher.run("import time; time.sleep(60)", timeout_s=0.2)
    told = launcher.exit_of(folder)

    assert (told["status"], told["reason"], told["signal"]) == ("timed_out", "time", "SIGTERM")
    assert told["message"] == "Stopped after 0.2 s (time limit)"
    assert [(r.stream, r.text) for r in launcher.records_of(folder)] == [
        ("S", b"Stopped after 0.2 s (time limit)")
    ]


def test_the_time_limit_kills_what_ignores_it(launcher: LauncherHarness) -> None:
    told = launcher.exit_of(launcher.run(DAEMON, timeout_s=0.3, grace_s=0.1))

    assert (told["status"], told["signal"]) == ("timed_out", "SIGABRT")


def test_the_first_cause_is_the_one_that_is_told(launcher: LauncherHarness) -> None:
    folder = launcher.run(DAEMON, timeout_s=0.2, grace_s=1)
    launcher.wait_for_output(folder, b"Stopped after 0.2 s (time limit)")
    launcher.web.ask("cancel", folder=folder)

    assert launcher.exit_of(folder)["status"] == "timed_out"


@pytest.mark.parametrize("limit_s", [0, None])
def test_no_limit_is_no_limit(launcher: LauncherHarness, limit_s: float | None) -> None:
    assert (
        launcher.exit_of(launcher.run("import time; time.sleep(.05)", timeout_s=limit_s))["status"]
        == "succeeded"
    )


def test_a_helper_that_ends_by_itself_is_no_leftover(launcher: LauncherHarness) -> None:
    code = "import os, time\nif os.fork() == 0: time.sleep(.05); print('late', flush=True)"
    told = launcher.exit_of(launcher.run(code))

    assert (told["status"], told["leftovers_killed"], told["output_bytes"]) == ("succeeded", 0, 5)


def test_leftovers_are_ended_and_counted(launcher: LauncherHarness) -> None:
    code = "import os, time\nfor _ in range(3):\n if os.fork() == 0: time.sleep(60)\nprint('done')"
    folder = launcher.run(code)
    told = launcher.exit_of(folder)

    assert (told["status"], told["exit_code"], told["leftovers_killed"]) == ("succeeded", 0, 3)
    assert (
        launcher.records_of(folder)[-1].text == b"The script left 3 of its processes running: ended"
    )


def test_a_deaf_leftover_is_killed_at_once_when_cancelled(launcher: LauncherHarness) -> None:
    code = DAEMON.removesuffix("time.sleep(60)\n")
    folder = launcher.run(code, grace_s=60)
    daemon = daemon_of(launcher, folder)
    wait_for(lambda: is_gone(launcher.state_of(folder)["script_pid"]))
    launcher.web.ask("cancel", folder=folder)
    told = launcher.exit_of(folder)

    assert (told["status"], told["leftovers_killed"]) == ("succeeded", 1)
    assert is_gone(daemon)


def test_output_of_the_last_moment_is_kept(launcher: LauncherHarness) -> None:
    code = "import os\nif os.fork() == 0: os.write(1, b'child\\n'); os._exit(0)\nos.write(1, b'x' * 60000)"
    folder = launcher.run(code)
    launcher.exit_of(folder)

    assert len(joined(launcher.records_of(folder))) >= 60006


@pytest.mark.parametrize(
    "bomb",
    [
        "import os\nprint('on', flush=True)\nwhile True:\n try: os.fork()\n except OSError: pass",
        "import os\nprint('on', flush=True)\nwhile True:\n if os.fork() == 0: os.setsid()\n else: os._exit(0)",
        "import os\nprint('on', flush=True)\nwhile True:\n if os.fork(): os._exit(0)",
    ],
    ids=["fork bomb", "runs away by setsid", "runs away in its group"],
)
def test_a_fork_bomb_ends(launcher: LauncherHarness, bomb: str) -> None:
    limit = """
import os, resource
if os.getuid() == 0:  # whom the limit does not bind
    os.setuid(65533)
resource.setrlimit(resource.RLIMIT_NPROC, (200, 200))
"""
    folder = launcher.run(limit + bomb, grace_s=0)
    launcher.wait_for_output(folder, b"on")
    launcher.web.ask("cancel", folder=folder)

    assert launcher.exit_of(folder)["output_lines"] >= 1
    assert folder not in {
        procfs.environment_value(pid, "TEMPO_RUN_FOLDER") for pid in procfs.table()
    }


def test_a_stopped_script_is_ended(launcher: LauncherHarness) -> None:
    folder = launcher.run("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)", grace_s=0.1)
    pid = launcher.state_of(folder)["script_pid"]
    wait_for(lambda: (process := procfs.read(pid)) and process.state == "T")
    launcher.web.ask("cancel", folder=folder)

    assert launcher.exit_of(folder)["signal"] == "SIGKILL"


def test_a_runner_that_fails_inside_ends_the_tree_and_tells(
    launcher: LauncherHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = supervision.Supervision._step

    def fail_after_output(self: supervision.Supervision) -> None:
        if self.capture.byte_count:
            raise RuntimeError("broken")
        step(self)

    monkeypatch.setattr(supervision.Supervision, "_step", fail_after_output)
    folder = launcher.new_folder([sys.executable, "-I", "-S", "-c", DAEMON])
    folder_fd = os.open(launcher.path(folder), os.O_RDONLY)
    order = runner.Order(
        folder_fd,
        str(launcher.path(folder)),
        bells.Bells(bells.open_bell_folder(str(launcher.data))),
        1.0,
        SUPPORT,
        {},
    )
    os.waitpid(forking.fork(lambda: runner.main(order)), 0)
    told = launcher.exit_of(folder)

    assert (told["status"], told["signal"]) == ("failed", "SIGKILL")
    assert "Tempo's runner failed: RuntimeError('broken')" in told["message"]
    assert is_gone(daemon_of(launcher, folder))


def test_a_family_is_its_roots_and_what_descends_from_them() -> None:
    assert os.getpid() in tree.family({os.getppid()})
    assert os.getpid() not in tree.descendants(os.getpid())
