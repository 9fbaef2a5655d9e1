"""One run from claim to verdict: what the script gets, what is told about it, and that it is always told."""

import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runs_app.launcher import locks
from runs_app.launcher.watch import procfs, verdict
from tests.runs_app.launcher.harness import LauncherHarness, joined, wait_for

ON = "print('on', flush=True); import time; time.sleep(60)"


@pytest.fixture(scope="module")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LauncherHarness]:
    with LauncherHarness(tmp_path_factory.mktemp("data")) as launcher:
        yield launcher


def printed_by(launcher: LauncherHarness, code: str, **spec: Any) -> str:
    folder = launcher.run(code, **spec)
    assert launcher.exit_of(folder)["status"] == "succeeded", launcher.records_of(folder)
    return joined(launcher.records_of(folder)).decode().removesuffix("\n")


def test_it_tells_the_end_of_a_run_in_full(launcher: LauncherHarness) -> None:
    folder = launcher.run("import sys; print('out', flush=True); print('err', file=sys.stderr)")
    told = launcher.exit_of(folder)

    assert set(told) == set(verdict.Exit.__annotations__)
    assert (told["status"], told["reason"], told["exit_code"], told["signal"]) == (
        "succeeded",
        "",
        0,
        None,
    )
    assert (
        told["message"],
        told["leftovers_killed"],
        told["output_bytes"],
        told["output_lines"],
    ) == ("", 0, 8, 2)
    assert told["log_bytes"] == (launcher.path(folder) / "output.log").stat().st_size
    assert told["started_at"] <= told["finished_at"]
    assert told["duration_s"] > 0 and told["cpu_s"] > 0 and told["peak_memory_mb"] > 1


def test_it_marks_the_two_streams_apart(launcher: LauncherHarness) -> None:
    folder = launcher.run("import sys; print('out', flush=True); print('err', file=sys.stderr)")
    launcher.exit_of(folder)

    assert {(r.stream, r.kind, r.text) for r in launcher.records_of(folder)} == {
        ("O", "F", b"out"),
        ("E", "F", b"err"),
    }


def test_it_says_who_runs_while_it_runs(launcher: LauncherHarness) -> None:
    folder = launcher.run(ON)
    state = launcher.state_of(folder)

    assert set(state) == set(verdict.RunnerState.__annotations__)
    assert state["runner_start"] == procfs.start_time(state["runner_pid"])
    assert state["script_start"] == procfs.start_time(state["script_pid"])
    assert state["boot_id"] == procfs.boot_id()
    assert locks.probe(launcher.path(folder))
    launcher.web.ask("cancel", folder=folder)


def test_the_lock_is_free_once_the_runner_is_gone(launcher: LauncherHarness) -> None:
    folder = launcher.run("pass")
    launcher.exit_of(folder)

    wait_for(lambda: not locks.probe(launcher.path(folder)))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("raise SystemExit(3)", ("failed", "exit_code", 3, None)),
        ("raise SystemExit(255)", ("failed", "exit_code", 255, None)),
        ("import os; os.kill(os.getpid(), 9)", ("failed", "signal", None, "SIGKILL")),
        ("import os; os.kill(os.getpid(), 40)", ("failed", "signal", None, "SIG40")),
        ("import os; os.abort()", ("failed", "signal", None, "SIGABRT")),
        ("import os; os.close(1); os.close(2)", ("succeeded", "", 0, None)),
    ],
)
def test_it_tells_how_the_script_ended(
    launcher: LauncherHarness, code: str, expected: tuple[object, ...]
) -> None:
    told = launcher.exit_of(launcher.run(code))

    assert (told["status"], told["reason"], told["exit_code"], told["signal"]) == expected


def test_the_script_gets_the_specs_environment_and_the_folder(launcher: LauncherHarness) -> None:
    code = "import os; print(sorted(os.environb.items()))"
    folder = launcher.run(code, env={"A": "1", "Ü": "ö\udcff", "EMPTY": ""})
    launcher.exit_of(folder)

    expected = {b"A": b"1", "Ü".encode(): "ö".encode() + b"\xff", b"EMPTY": b""}
    expected[b"TEMPO_RUN_FOLDER"] = os.fsencode(launcher.path(folder))
    printed = dict(eval(joined(launcher.records_of(folder))))
    printed.pop(b"LC_CTYPE", None)  # Python sets it for itself where there is no locale
    assert printed == expected


def test_the_script_runs_in_its_working_folder(launcher: LauncherHarness, tmp_path: Path) -> None:
    assert printed_by(launcher, "import os; print(os.getcwd())", cwd=str(tmp_path)) == str(tmp_path)


def test_the_script_starts_from_a_clean_slate(launcher: LauncherHarness) -> None:
    code = "print(open('/proc/self/status').read()); print('stdin', open('/proc/self/fd/0').read())"
    status = dict(
        line.split("\t", 1) for line in printed_by(launcher, code).splitlines() if "\t" in line
    )

    assert int(status["SigBlk:"], 16) == 0
    ignored = {
        number
        for number in signal.valid_signals()
        if int(status["SigIgn:"], 16) >> (number - 1) & 1
    }
    # Python itself ignores these two. The C library keeps 32 and 33 to itself: what they were inherited as, they stay.
    assert ignored <= {signal.SIGPIPE, signal.SIGXFSZ}
    assert status["NoNewPrivs:"] == "1"
    assert status["Umask:"] == "0022"


def test_the_script_is_the_first_to_go_and_the_last_to_be_served(launcher: LauncherHarness) -> None:
    code = """
import os, resource
print(open('/proc/self/oom_score_adj').read().strip(), os.nice(0) - 5 >= 0, resource.getrlimit(resource.RLIMIT_CORE))
print(os.getsid(0) == os.getpid(), os.getpgrp() == os.getpid(), os.listdir('/proc/self/fd')[:3])
"""
    assert printed_by(launcher, code) == "800 True (0, 0)\nTrue True ['0', '1', '2']"


def bell_of(launcher: LauncherHarness, name: str) -> socket.socket:
    """A bound bell; by way of a descriptor, since the data folder's path may be longer than a socket's may."""
    bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    run_fd = os.open(launcher.data / "run", os.O_PATH)
    bell.bind(f"/proc/self/fd/{run_fd}/{name}")
    bell.settimeout(10)
    os.close(run_fd)
    return bell


def test_it_rings_when_it_starts_prints_and_ends(tmp_path: Path) -> None:
    with LauncherHarness(tmp_path) as launcher, bell_of(launcher, "state.bell") as state:
        with bell_of(launcher, "output.bell") as output:
            folder = launcher.run("print('x', flush=True); import time; time.sleep(.3)")

            assert [state.recv(99), output.recv(99), state.recv(99)] == [b"look"] * 3
        assert (launcher.path(folder) / "exit.json").exists()


def test_a_data_folder_with_a_long_path_rings_too(tmp_path: Path) -> None:
    data = tmp_path / ("d" * 120)
    data.mkdir()
    with LauncherHarness(data) as launcher, bell_of(launcher, "state.bell") as bell:
        launcher.run("pass")

        assert bell.recv(99) == b"look"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"argv": ["/no/such/python"]},
            "Could not start: interpreter /no/such/python: No such file or directory",
        ),
        ({"argv": ["/etc/passwd"]}, "Could not start: interpreter /etc/passwd: Permission denied"),
        (
            {"cwd": "/no/such/folder"},
            "Could not start: working folder /no/such/folder: No such file or directory",
        ),
        ({"argv": []}, "argv has to be a list"),
        ({"argv": "/bin/true"}, "argv has to be a list"),
        ({"argv": ["/bin/echo", 7]}, "argv has to be text"),
        ({"argv": ["/bin/echo", "a\0b"]}, "argv has to be text"),
        ({"env": {"A": None}}, "env A has to be text"),
        ({"env": {"A=B": "x"}}, "env has to be an object"),
        ({"env": None}, "env has to be an object"),
        ({"cwd": None}, "cwd has to be text"),
        ({"timeout_s": "soon"}, "timeout_s has to be a number"),
        ({"timeout_s": -1}, "timeout_s has to be a number"),
        ({"grace_s": 1e300}, "grace_s has to be a number"),
        ({"v": 2}, "version 1"),
    ],
)
def test_what_cannot_start_is_told(
    launcher: LauncherHarness, change: dict[str, object], message: str
) -> None:
    spec = {
        "v": 1,
        "run_id": 1,
        "argv": ["/bin/true"],
        "cwd": "/",
        "env": {},
        "timeout_s": 0,
        "grace_s": 1,
    } | change
    folder = launcher.new_folder([])
    (launcher.path(folder) / "spec.json").write_text(json.dumps(spec))
    launcher.web.ask("start", folder=folder)
    told = launcher.exit_of(folder)

    assert (told["status"], told["reason"], told["exit_code"]) == (
        "failed",
        "could_not_start",
        None,
    )
    assert told["started_at"] is None
    assert message in told["message"]
    assert [r.stream for r in launcher.records_of(folder)] == ["S"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"v": 1}', b"9" * 10_000]
)
def test_a_spec_that_is_no_spec_is_told(launcher: LauncherHarness, content: bytes) -> None:
    folder = launcher.new_folder([])
    (launcher.path(folder) / "spec.json").write_bytes(content)
    launcher.web.ask("start", folder=folder)

    assert launcher.exit_of(folder)["reason"] == "could_not_start"


def test_a_missing_spec_is_told(launcher: LauncherHarness) -> None:
    folder = launcher.new_folder([])
    (launcher.path(folder) / "spec.json").unlink()
    launcher.web.ask("start", folder=folder)

    assert "No such file" in launcher.exit_of(folder)["message"]


def test_a_folder_that_takes_no_log_is_told(launcher: LauncherHarness) -> None:
    folder = launcher.new_folder([sys.executable, "-c", "pass"])
    (launcher.path(folder) / "output.log").mkdir()
    launcher.web.ask("start", folder=folder)

    assert "cannot be used: File exists" in launcher.exit_of(folder)["message"]


def test_a_state_that_cannot_be_written_costs_no_run(launcher: LauncherHarness) -> None:
    folder = launcher.new_folder([sys.executable, "-I", "-S", "-c", "print('fine')"])
    (launcher.path(folder) / "state.json").mkdir()
    launcher.web.ask("start", folder=folder)

    assert launcher.exit_of(folder)["status"] == "succeeded"


def test_a_claimed_folder_is_left_alone(launcher: LauncherHarness) -> None:
    folder = launcher.new_folder(["/bin/true"])
    (launcher.path(folder) / "claim").touch()
    launcher.web.ask("start", folder=folder)

    wait_for(lambda: launcher.web.ask("ping")["runs"] == 0)
    assert sorted(path.name for path in launcher.path(folder).iterdir()) == [
        "claim",
        "lock",
        "spec.json",
    ]


def test_a_folded_folder_is_left_alone(launcher: LauncherHarness) -> None:
    folder = launcher.new_folder([sys.executable, "-I", "-S", "-c", "open('ran', 'w')"])
    (launcher.path(folder) / "run.json").touch()
    launcher.web.ask("start", folder=folder)

    wait_for(lambda: launcher.web.ask("ping")["runs"] == 0)
    found = {path.name for path in launcher.path(folder).iterdir()}
    assert found == {"claim", "lock", "run.json", "spec.json"}


def test_a_probe_does_not_take_the_lock(tmp_path: Path) -> None:
    folder_fd = os.open(tmp_path, os.O_RDONLY)
    lock_fd = locks.acquire(folder_fd)

    assert lock_fd is not None
    assert locks.probe(tmp_path) and locks.probe(folder_fd)
    assert locks.acquire(folder_fd) is None
    os.close(lock_fd)
    assert not locks.probe(tmp_path)
    assert not locks.probe(tmp_path / "missing")
    os.close(folder_fd)


# --- several programs ----------------------------------------------------------------------------------------------
def step(code: str) -> dict[str, Any]:
    return {"argv": [sys.executable, "-I", "-S", "-c", code], "cwd": "/", "env": {}}


def test_a_further_program_starts_after_the_success_of_the_one_before_it(
    launcher: LauncherHarness,
) -> None:
    further = [step("print('second')"), step("raise SystemExit(3)"), step("print('never')")]
    folder = launcher.run("print('first')", then=further)
    told = launcher.exit_of(folder)
    assert (told["status"], told["reason"], told["exit_code"]) == ("failed", "exit_code", 3)
    assert joined(launcher.records_of(folder)) == b"first\nsecond\n"


def test_the_secrets_are_for_the_first_program_alone(launcher: LauncherHarness) -> None:
    show = "import os; print('TOKEN' in os.environ)"
    folder = launcher.new_folder([sys.executable, "-c", show], then=[step(show)])
    assert launcher.web.ask("start", folder=folder, secrets={"TOKEN": "s3cret-of-the-index"})["ok"]
    launcher.exit_of(folder)
    assert joined(launcher.records_of(folder)) == b"True\nFalse\n"


def test_a_further_program_is_cancelled_and_timed_as_part_of_the_run(
    launcher: LauncherHarness,
) -> None:
    folder = launcher.run("print('first')", then=[step(ON)])
    launcher.wait_for_output(folder, b"on")
    launcher.web.ask("cancel", folder=folder)
    assert launcher.exit_of(folder)["status"] == "cancelled"
    folder = launcher.run("print('first')", then=[step(ON)], timeout_s=1)
    assert launcher.exit_of(folder)["status"] == "timed_out"


def test_a_further_program_that_is_not_there_fails_the_run(launcher: LauncherHarness) -> None:
    folder = launcher.run("print('first')", then=[{**step(""), "argv": ["/nonexistent/program"]}])
    told = launcher.exit_of(folder)
    assert (told["status"], told["reason"]) == ("failed", "could_not_start")
    assert "/nonexistent/program" in told["message"]
