"""The launcher and its `web`: what web gets, when it is started again, and how everything ends."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from runs_app.launcher import options, server
from runs_app.launcher.watch import procfs
from tests.rows import each_row
from tests.runs_app.launcher.harness import LIMIT_S, MAIN, LauncherHarness, is_gone, wait_for

STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('on', flush=True); time.sleep(60)"
LEAST = ["--data", "x", "--host", "h", "--port", "1"]


def test_web_gets_a_listening_socket_that_does_not_block(tmp_path: Path) -> None:
    with LauncherHarness(tmp_path) as launcher:
        listener = launcher.web.listener

        assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
        assert not os.get_blocking(listener.fileno())
        assert listener.getsockname()[0] == "127.0.0.1"


def test_web_gets_its_five_descriptors_and_nothing_else(tmp_path: Path) -> None:
    with LauncherHarness(tmp_path) as launcher:
        wait_for(lambda: sorted(_open_files(launcher.web.pid)) == ["0", "1", "2", "3", "4"])


def test_web_is_a_process_group_of_its_own(tmp_path: Path) -> None:
    with LauncherHarness(tmp_path) as launcher:
        assert os.getpgid(launcher.web.pid) == launcher.web.pid


def test_a_web_that_was_ready_is_started_again_at_once(tmp_path: Path) -> None:
    with LauncherHarness(tmp_path) as launcher:
        first = launcher.web.pid
        os.kill(first, signal.SIGKILL)

        assert launcher.next_web().pid != first
        assert "web exited signal=SIGKILL, restarting\n" in launcher.log()


def test_a_web_that_dies_during_its_start_is_started_again_ever_later(tmp_path: Path) -> None:
    web = [sys.executable, "-I", "-S", "-c", "raise SystemExit(3)"]
    with LauncherHarness(tmp_path, web_argv=web) as launcher:
        wait_for(lambda: "in 0.8 s" in launcher.log())

        assert re.findall(r"web exited code=3, restarting in (\S+) s", launcher.log()) == [
            "0.2",
            "0.4",
            "0.8",
        ]


def test_a_web_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with LauncherHarness(tmp_path, web_argv=["/no/such/web"]) as launcher:
        wait_for(
            lambda: (
                "web cannot be started: /no/such/web: No such file or directory" in launcher.log()
            )
        )


def test_hup_restarts_web_without_a_pause(tmp_path: Path) -> None:
    with LauncherHarness(tmp_path, ready=False) as launcher:
        launcher.process.send_signal(signal.SIGHUP)
        launcher.next_web()

        assert "web exited signal=SIGTERM, restarting\n" in launcher.log()


def test_a_run_goes_on_when_only_web_dies(tmp_path: Path) -> None:
    with LauncherHarness(tmp_path) as launcher:
        folder = launcher.run("print(input.__name__, flush=True); import time; time.sleep(60)")
        script = launcher.state_of(folder)["script_pid"]
        os.kill(launcher.web.pid, signal.SIGKILL)
        launcher.next_web()

        assert not is_gone(script)
        assert launcher.web.ask("cancel", folder=folder)["signalled"]


def test_what_web_leaves_running_dies_with_it(tmp_path: Path) -> None:
    left = tmp_path / "left"
    code = """
import os, signal
open(os.sys.argv[1], 'w').write(str(os.getpid())) if os.fork() == 0 else 0
signal.pause()
"""
    with LauncherHarness(
        tmp_path, web_argv=[sys.executable, "-I", "-S", "-c", code, str(left)]
    ) as launcher:
        pid = int(wait_for(lambda: left.exists() and left.read_text()))
        web = procfs.read(pid)
        assert web is not None
        os.kill(web.parent, signal.SIGKILL)

        wait_for(lambda: is_gone(pid))
        wait_for(lambda: f"strays killed pids={pid}" in launcher.log())


def test_term_ends_it_with_web(tmp_path: Path) -> None:
    with LauncherHarness(tmp_path) as launcher:
        assert launcher.terminate() == 0
        assert is_gone(launcher.web.pid)


def test_term_ends_a_stubborn_script_as_a_shutdown(tmp_path: Path) -> None:
    with LauncherHarness(tmp_path, grace_s=0.3) as launcher:
        folder = launcher.run(STUBBORN, grace_s=60)
        launcher.wait_for_output(folder, b"on")

        assert launcher.terminate() == 0
        verdict = launcher.exit_of(folder)
        assert (verdict["status"], verdict["reason"], verdict["signal"]) == (
            "cancelled",
            "shutdown",
            "SIGKILL",
        )
        assert not launcher.survivors()


def test_a_second_term_gives_no_grace(tmp_path: Path) -> None:
    with LauncherHarness(tmp_path, grace_s=60) as launcher:
        folder = launcher.run(STUBBORN)
        launcher.wait_for_output(folder, b"on")
        launcher.process.terminate()
        launcher.wait_for_output(folder, b"Stopped because Tempo shuts down")

        assert launcher.terminate() == 0
        assert launcher.exit_of(folder)["reason"] == "shutdown"
        assert not launcher.survivors()


def test_it_ends_although_web_ignores_term(tmp_path: Path) -> None:
    code = (
        "import signal, os; signal.signal(15, signal.SIG_IGN); os.write(2, b'deaf'); signal.pause()"
    )
    with LauncherHarness(tmp_path, web_argv=[sys.executable, "-I", "-S", "-c", code]) as launcher:
        wait_for(lambda: "deaf" in launcher.log())
        launcher.process.terminate()
        wait_for(lambda: "stopping" in launcher.log())

        assert launcher.terminate() == 0
        assert "web exited signal=SIGKILL" in launcher.log()


def test_it_stops_runs_before_web_and_takes_no_new_ones(tmp_path: Path) -> None:
    with LauncherHarness(tmp_path, grace_s=0.5) as launcher:
        folder = launcher.run(STUBBORN)
        launcher.wait_for_output(folder, b"on")
        late = launcher.new_folder(["/bin/true"])
        launcher.process.terminate()
        launcher.wait_for_output(folder, b"Stopped because Tempo shuts down")

        assert launcher.web.ask("start", folder=late)["error"] == "Tempo is shutting down"


def test_a_port_in_use_is_one_sentence_and_exit_1(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = _run(
            "--data", str(tmp_path), "--host", "127.0.0.1", "--port", port, "--", "/bin/true"
        )

    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert f"cannot listen on 127.0.0.1 port {port}: Address already in use" in ended.stderr


@pytest.mark.parametrize("host", ["256.1.1.1", "192.0.2.1", "::zz"])
def test_an_unusable_address_is_one_sentence_and_exit_1(tmp_path: Path, host: str) -> None:
    ended = _run("--data", str(tmp_path), "--host", host, "--port", "0", "--", "/bin/true")

    assert ended.returncode == 1
    assert f"cannot listen on {host}" in ended.stderr


def test_it_listens_on_ipv6() -> None:
    listener = socket.socket(fileno=server.listen("::1", 0))

    assert listener.family == socket.AF_INET6
    listener.close()


def test_it_reads_the_user_of_web_and_those_of_scripts() -> None:
    plain = options.parse([*LEAST, "--", "web"])
    told = options.parse(
        [*LEAST, "--web-user", "1000:100", "--script-users", "70000-70009", "--", "web"]
    )

    assert (plain.web_user, plain.script_users) == (None, (50000, 59999))
    assert (told.web_user, told.script_users) == ((1000, 100), (70000, 70009))


@each_row(
    ("arguments", "sentence"),
    [
        (["--data", "x"], "no `--`"),
        (["--data", "x", "--host", "h", "--port", "1", "--"], "no command of web"),
        (
            ["--data", "x", "--host", "h", "--port", "1", "--grace", "nan", "--", "web"],
            "nan is not between",
        ),
        (["--data", "x", "--host", "h", "--", "web"], "--port is missing"),
        (["--data", "x", "--host", "h", "--port", "65536", "--", "web"], "not between"),
        (
            ["--data", "x", "--host", "h", "--port", "1", "--color", "red", "--", "web"],
            "unknown option --color",
        ),
        (["--data", "x", "--host", "--", "web"], "--host has no value"),
        ([*LEAST, "--web-user", "1000", "--", "web"], "1000 is not two ids"),
        ([*LEAST, "--web-user", "4294967295:1", "--", "web"], "4294967295:1 is not two ids"),
        ([*LEAST, "--web-user", "-1:1", "--", "web"], "-1:1 is not two ids"),
        ([*LEAST, "--script-users", "0-10", "--", "web"], "0-10 is no range of users"),
        (
            [*LEAST, "--script-users", "60000-50000", "--", "web"],
            "60000-50000 is no range of users",
        ),
        (
            [*LEAST, "--web-user", "50001:1", "--", "web"],
            "50001, of web, is among the users of scripts",
        ),
    ],
)
def test_it_refuses_a_wrong_command_line(arguments: list[str], sentence: str) -> None:
    with pytest.raises(options.UsageError, match=re.escape(sentence)):
        options.parse(arguments)


def test_nobody_but_the_launcher_holds_the_lock_it_was_given(tmp_path: Path) -> None:
    with (tmp_path / "engine.lock").open("w") as lock:
        launcher = LauncherHarness(tmp_path)
        launcher.options = ["--lock-fd", str(lock.fileno())]
        launcher.pass_fds = (lock.fileno(),)
        with launcher:
            folder = launcher.run("import time; time.sleep(60)")
            state = launcher.state_of(folder)
            holders = [
                launcher.process.pid,
                launcher.web.pid,
                state["runner_pid"],
                state["script_pid"],
            ]

            assert [lock.name in _open_files(pid).values() for pid in holders] == [
                True,
                False,
                False,
                False,
            ]


def test_a_run_holds_none_of_the_launchers_descriptors(tmp_path: Path) -> None:
    with LauncherHarness(tmp_path) as launcher:
        state = launcher.state_of(launcher.run("import time; time.sleep(60)"))

        wait_for(lambda: sorted(_open_files(state["script_pid"])) == ["0", "1", "2"])
        runner, web = (_open_files(pid) for pid in (state["runner_pid"], launcher.web.pid))
        assert not {file for file in runner.values() if "socket" in file} & set(web.values())


def test_web_is_dropped_to_its_user_for_ever() -> None:
    with _dropping() as launcher:
        status = _status(launcher.web.pid)

        assert (status["Uid"].split(), status["Gid"].split()) == (["1234"] * 4, ["2345"] * 4)
        assert (status["Groups"], status["CapPrm"].strip("0"), status["NoNewPrivs"]) == (
            "",
            "",
            "1",
        )


def test_a_dropped_web_ends_with_its_launcher() -> None:
    with _dropping() as launcher:
        launcher.process.kill()

        wait_for(lambda: is_gone(launcher.web.pid))


def test_a_dropped_web_is_stopped_by_its_launcher() -> None:
    with _dropping() as launcher:
        assert launcher.terminate() == 0
        assert is_gone(launcher.web.pid)


@pytest.mark.parametrize(("without", "told"), [("", "1"), ("users", "0")])
def test_web_is_told_whether_scripts_have_users_of_their_own(
    tmp_path: Path, without: str, told: str
) -> None:
    with LauncherHarness(tmp_path, env={"TEMPO_WITHOUT": without}) as launcher:
        assert procfs.environment_value(launcher.web.pid, "TEMPO_SCRIPT_USERS") == told


def test_ten_clean_ends_in_a_row_under_load(tmp_path: Path) -> None:
    for _ in range(10):
        with LauncherHarness(tmp_path, grace_s=0.2) as launcher:
            folders = [launcher.run("import time\nwhile 1: print('x' * 50)") for _ in range(3)]
            began = time.monotonic()

            assert launcher.terminate() == 0
            assert time.monotonic() - began < LIMIT_S
            assert not launcher.survivors()
            assert {launcher.exit_of(folder)["reason"] for folder in folders} == {"shutdown"}


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-S", str(MAIN), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)


@contextmanager
def _dropping() -> Iterator[LauncherHarness]:
    """A launcher whose web is another user; not with this Python, which may lie in a closed home."""
    with tempfile.TemporaryDirectory() as data:  # pytest's are closed to other users
        os.chown(data, 1234, 2345)
        launcher = LauncherHarness(Path(data), python="/usr/bin/python3")
        launcher.options = ["--web-user", "1234:2345"]
        with launcher:
            yield launcher


def _status(pid: int) -> dict[str, str]:
    lines = (line.partition(":") for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {name: value.strip() for name, _, value in lines}


def _open_files(pid: int) -> dict[str, str]:
    """What each of its descriptors stands for; one may be closed while they are read."""
    files = {}
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            files[entry.name] = str(entry.readlink())
    return files
