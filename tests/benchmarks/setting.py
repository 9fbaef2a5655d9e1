"""What every benchmark stands on: a prepared data folder, a Tempo of its own, and the bare Python to compare with."""

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.service import Service

FIRST_LINE = "import time; moment = time.time()\nprint(moment)\n"
PROBE = """
import json, os, sys
print(json.dumps({"argv": sys.orig_argv, "env": dict(os.environ), "cwd": os.getcwd()}))
"""
BARE_LIMIT_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What the command line and the common set-up give to each benchmark."""

    prepared: Path  # a data folder with a migrated database, to be copied
    is_long: bool


@contextmanager
def running(setting: Setting) -> Iterator[Service]:
    """A Tempo on a fresh data folder, stopped and removed at the end."""
    with (
        tempfile.TemporaryDirectory(prefix="tempo-benchmark-") as folder,
        Service.copy_of(setting.prepared, Path(folder) / "data") as service,
    ):
        yield service


@dataclass(frozen=True, kw_only=True)
class Bare:
    """The interpreter of a script's environment, with the very flags and variables that Tempo gives it."""

    command: list[str]
    env: dict[str, str]
    folder: Path

    @classmethod
    def of(cls, service: Service) -> Self:
        """Ask a script for its command line, its variables and its folder."""
        run = service.run(service.make_script("Probe", PROBE))
        told = json.loads(service.get(f"/runs/{run['id']}/log"))
        return cls(command=told["argv"][:-1], env=told["env"], folder=Path(told["cwd"]))

    def first_line_ms(self) -> float:
        """Milliseconds from just before a start to the first line of the script."""
        script = self.script(FIRST_LINE)
        started = time.time()
        done = subprocess.run(
            [*self.command, script],
            env=self.env,
            cwd=self.folder,
            capture_output=True,
            timeout=BARE_LIMIT_S,
        )
        return (float(done.stdout) - started) * 1000

    def run_s(self, *arguments: str, unbuffered: bool = True) -> float:
        """Seconds that a run takes from start to end; its output goes to a file.

        Without a time limit on purpose: with one, `subprocess` polls for the end at 7.5, 15.5, 31.5, 63.5 ms and so on.
        """
        env = self.env if unbuffered else {**self.env, "PYTHONUNBUFFERED": ""}
        with (self.folder / "bare.log").open("wb") as log:
            started = time.monotonic()
            status = subprocess.call(
                [*self.command, *arguments], env=env, cwd=self.folder, stdout=log
            )
            elapsed_s = time.monotonic() - started
        assert status == 0, f"{arguments} ended with {status}"
        return elapsed_s

    def script(self, code: str) -> str:
        """Write a script to start bare and return its path."""
        path = self.folder / "bare.py"
        path.write_text(code)
        return str(path)
