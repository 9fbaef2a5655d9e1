"""A process number passes on to others: who bears one that `state.json` names is never adopted and never signalled."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from runs_app.launcher.watch import procfs
from tests.runs_app.engine.test_reconcile import held_lock
from tests.runs_app.launcher.harness import LauncherHarness

FOLDER = "2026-11/7-abcdef12"
NO_NEW_PRIVILEGES = [
    "setpriv",
    "--no-new-privs",
]  # what a script has: the launcher looks twice at such a one


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """Somebody else's process, a session of its own."""
    with subprocess.Popen([*NO_NEW_PRIVILEGES, "sleep", "600"], start_new_session=True) as process:
        yield process
        process.kill()


def state_naming(pid: int, **fields: Any) -> dict[str, Any]:
    """A `state.json` of a runner and a script that had this number; by default all else fits the living process."""
    start = procfs.start_time(pid)
    numbers = {"runner_pid": pid, "runner_start": start, "script_pid": pid, "script_start": start}
    return {"v": 1, **numbers, "boot_id": procfs.boot_id(), "started_at": 1.0, **fields}


@pytest.mark.parametrize("is_locked", [True, False])
@pytest.mark.parametrize(
    "fields",
    [
        {"runner_start": 1, "script_start": 1},
        {"runner_start": None, "script_start": None},
        {"boot_id": "another boot"},
        {"boot_id": None},
        {"runner_start": "1", "script_start": "1"},
    ],
)
def test_a_number_that_has_passed_on_is_nobody_of_ours(
    tmp_path: Path, bystander: subprocess.Popen[bytes], fields: dict[str, Any], is_locked: bool
) -> None:
    folder = tmp_path / "runs" / FOLDER
    folder.mkdir(parents=True)
    (folder / "claim").touch()
    (folder / "state.json").write_text(json.dumps(state_naming(bystander.pid, **fields)))
    with held_lock(folder) if is_locked else nullcontext(), LauncherHarness(tmp_path) as launcher:
        assert launcher.web.ask("adopt", folder=FOLDER)["adopted"] is False
        assert launcher.web.ask("cancel", folder=FOLDER)["signalled"] is False
        assert launcher.terminate() == 0
        assert bystander.poll() is None
