"""Secrets of a run: handed over in memory alone, in the script's environment, and nowhere else."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runs_app.launcher import wire
from runs_app.launcher.output.masking import MASK
from tests.runs_app.launcher.harness import LauncherHarness, joined

VALUE = "s3cr3t-of-the-run"
SHOW = "import os, sys; print(os.environ['TOKEN']); sys.stderr.write(os.environ['TOKEN'][:9]); sys.stderr.flush()"
HALVES = f"{SHOW}; sys.stderr.write(os.environ['TOKEN'][9:] + '\\n'); raise SystemExit(os.environ['TOKEN'])"


@pytest.fixture(scope="module")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LauncherHarness]:
    with LauncherHarness(tmp_path_factory.mktemp("data")) as launcher:
        yield launcher


def started(launcher: LauncherHarness, code: str, secrets: object, **spec: object) -> str:
    """Start a run with these secrets; its folder."""
    folder = launcher.new_folder([sys.executable, "-I", "-S", "-c", code], **spec)  # type: ignore[arg-type]
    reply = launcher.web.ask("start", folder=folder, secrets=secrets)
    assert reply["ok"], reply
    return folder


def test_a_script_has_its_secrets_and_its_output_does_not(launcher: LauncherHarness) -> None:
    folder = started(launcher, HALVES, {"TOKEN": VALUE})
    told = launcher.exit_of(folder)
    assert (told["status"], told["exit_code"]) == ("failed", 1)
    assert joined(launcher.records_of(folder), "O") == MASK + b"\n"
    assert joined(launcher.records_of(folder), "E") == MASK + b"\n" + MASK + b"\n"


def test_no_file_of_the_run_holds_a_secret(launcher: LauncherHarness) -> None:
    folder = started(
        launcher, f"{HALVES}\n", {"TOKEN": VALUE, "OTHER": "another-secret"}, env={"PLAIN": "shown"}
    )
    launcher.exit_of(folder)
    files = [path for path in launcher.path(folder).rglob("*") if path.is_file()]
    assert files and not [path for path in files if VALUE[:9].encode() in path.read_bytes()]


def test_a_secret_stands_in_place_of_a_plain_value_of_its_name(launcher: LauncherHarness) -> None:
    code = "import os; print(len(os.environ['HTTP_PROXY']))"
    folder = started(launcher, code, {"HTTP_PROXY": VALUE}, env={"HTTP_PROXY": "x"})
    launcher.exit_of(folder)
    assert joined(launcher.records_of(folder)) == b"%d\n" % len(VALUE)


def test_neither_launcher_nor_runner_has_them_in_its_environment_or_command_line(
    launcher: LauncherHarness,
) -> None:
    folder = started(
        launcher, "print('on', flush=True); import time; time.sleep(60)", {"TOKEN": VALUE}
    )
    launcher.wait_for_output(folder, b"on")
    pids = (launcher.process.pid, launcher.web.pid, launcher.state_of(folder)["runner_pid"])
    seen = [
        Path(f"/proc/{pid}/{name}").read_bytes() for pid in pids for name in ("environ", "cmdline")
    ]
    launcher.web.ask("cancel", folder=folder)
    assert not any(VALUE.encode() in content for content in seen)


def test_the_next_run_does_not_get_them(launcher: LauncherHarness) -> None:
    launcher.exit_of(started(launcher, "pass", {"TOKEN": VALUE}))
    folder = launcher.run("import os; print(os.environ.get('TOKEN'))")
    launcher.exit_of(folder)
    assert joined(launcher.records_of(folder)) == b"None\n"


@pytest.mark.parametrize("secrets", [[VALUE], {"": VALUE}, {"A=B": VALUE}, {"A": VALUE + "\0"}, {"A": {"B": VALUE}},
                                     {"A": VALUE + "\ud800"}, {"A": None}])  # fmt: skip
def test_what_is_no_secret_is_refused_without_telling_it(
    launcher: LauncherHarness, secrets: object
) -> None:
    folder = launcher.new_folder(["/bin/true"])
    reply = launcher.web.ask("start", folder=folder, secrets=secrets)
    assert not reply["ok"] and "secrets" in reply["error"] and VALUE not in reply["error"]
    assert VALUE not in launcher.log()


def test_as_much_as_may_be_saved_fits_into_one_order(launcher: LauncherHarness) -> None:
    # 256 kB, the longest as JSON.
    most = {f"V{number}_{'N' * 90}": "é" * (16 * 1024) for number in range(8)}
    assert (
        len(wire.encode({"op": "start", "id": 1, "folder": "2026-11/1-abcdef12", "secrets": most}))
        < wire.MAX_BYTES
    )
    folder = started(
        launcher,
        "import os; print(sum(len(os.environb[n]) for n in os.environb if n[:1] == b'V'))",
        most,
    )
    launcher.exit_of(folder)
    assert joined(launcher.records_of(folder)) == b"%d\n" % (8 * 32 * 1024)


def test_a_run_that_could_not_start_says_so_without_them(launcher: LauncherHarness) -> None:
    folder = launcher.new_folder(["/nowhere/python"])
    launcher.web.ask("start", folder=folder, secrets={"TOKEN": VALUE})
    told = launcher.exit_of(folder)
    assert told["reason"] == "could_not_start" and VALUE not in str(told)
    assert os.fsencode(VALUE) not in joined(launcher.records_of(folder), "OES")
