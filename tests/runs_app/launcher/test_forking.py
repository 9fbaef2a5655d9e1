"""What a forked child inherits."""

import subprocess
import sys
from pathlib import Path

from runs_app.launcher import forking, runner, server

# Opens some descriptors, keeps the ones it is told to and prints which are left.
KEEPER = """
import os, sys
from runs_app.launcher import forking
os.closerange = None  # closes up to the limit where the system has no close_range()
for fd in (5, 6, 900):
    os.dup2(2, fd)
forking.close_all_except({0, 1, 2, 6, 700})
print([fd for fd in range(1000) if os.path.exists(f"/proc/self/fd/{fd}")])
"""


def test_only_named_descriptors_are_kept_and_only_open_ones_closed() -> None:
    argv = [sys.executable, "-c", KEEPER]
    told = subprocess.run(
        argv, capture_output=True, text=True, check=True, env={"PYTHONPATH": str(Path.cwd())}
    )
    assert told.stdout == "[0, 1, 2, 6]\n"


def test_a_fork_blocks_each_signal_that_launcher_or_runner_heeds_or_ignores() -> None:
    assert {*server._SIGNALS, *runner._HEEDED, *runner._IGNORED} == forking.HANDLED
