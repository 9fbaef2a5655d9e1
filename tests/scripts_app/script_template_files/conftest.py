"""Script templates as Tempo runs them: in a process, in a working folder, with parameters in the environment."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from scripts_app import script_templates
from scripts_app.packages import interpreters
from tests.scripts_app.script_template_files.doubles import Web, web_server

LIMIT_S = 60


@dataclass(frozen=True, kw_only=True)
class Done:
    """How a run ended, and what it wrote on both streams."""

    code: int
    said: str


class Running(Protocol):
    """Runs a script template; parameters in small letters, variables in capitals."""

    def __call__(self, name: str, /, **given: object) -> Done:
        """Run it to its end."""


@pytest.fixture(scope="session", params=["own", "oldest"])
def python(request: pytest.FixtureRequest) -> str:
    """Tempo's own Python, then the oldest that scripts can have on this machine: 3.8 where it is installed."""
    if request.param == "own":
        return sys.executable
    there = {
        tuple(map(int, found.version.split(".")[:2])): str(found.path)
        for found in interpreters.discover()
    }
    return there[min(there)]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """The working folder, the same for each run of a test."""
    folder = tmp_path / "files"
    folder.mkdir()
    return folder


@pytest.fixture
def run(python: str, files: Path, tmp_path: Path) -> Running:
    """Runs script templates."""

    def runner(name: str, /, **given: object) -> Done:
        parameters = {
            f"TEMPO_PARAM_{key.upper()}": written(value)
            for key, value in given.items()
            if key.islower()
        }
        variables = {key: str(value) for key, value in given.items() if key.isupper()}
        env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **parameters, **variables}
        command = [python, "-X", "dev", str(script_templates.FOLDER / f"{name}.py")]
        done = subprocess.run(
            command,
            cwd=files,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT_S,
        )
        assert f'{name}.py", line' not in done.stdout and "Warning: " not in done.stdout, (
            done.stdout
        )
        return Done(code=done.returncode, said=done.stdout)

    return runner


def written(value: object) -> str:
    """A parameter's value as Tempo hands it over."""
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.fixture
def web() -> Iterator[Web]:
    """A web server that answers as it is told."""
    with web_server() as server:
        yield server
