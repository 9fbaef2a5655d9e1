"""Small real scripts run with the usual limits, in a user of their own and as Tempo's user, or say what they lack."""

import ctypes.util
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uv

from tests.runs_app.launcher import servers
from tests.runs_app.launcher.confined import IS_ROOT, LIMITS, ORDINARY, PYTHON, STRONG, Mode, Place
from tests.runs_app.launcher.harness import joined, wait_for

FOLDER = Path(__file__).parent / "sandbox"
MODES = [STRONG, ORDINARY] if IS_ROOT else [ORDINARY]
NAME = "tempo-corpus"  # of the user, as far as the system has none
RUN_LIMIT_S = 120.0  # of a script; reached only when something is broken


def scripts(*, with_packages: bool) -> list[Any]:
    """Every script of the data files that needs packages, or none."""
    found = [
        script
        for file in sorted(FOLDER.glob("*.toml"))
        for script in tomllib.loads(file.read_text())["script"]
    ]
    chosen = [script for script in found if bool(script.get("packages")) == with_packages]
    return [pytest.param(script, id=script["name"]) for script in chosen]


@pytest.fixture(scope="module", params=MODES, ids=lambda mode: mode.name)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    mode: Mode = request.param
    with Place(mode) as place:
        yield place


@pytest.fixture(scope="module")
def python_with_packages() -> Iterator[str]:
    """A Python with the packages of all scripts, where any user may read it."""
    names = {
        name for script in scripts(with_packages=True) for name in script.values[0]["packages"]
    }
    with tempfile.TemporaryDirectory(prefix="tempo-corpus-") as folder:
        Path(folder).chmod(0o755)
        python = f"{folder}/env/bin/python"
        command = [uv.find_uv_bin(), "--no-config"]
        subprocess.run(
            [*command, "venv", "--quiet", "--python", PYTHON, f"{folder}/env"], check=True
        )
        install = [*command, "pip", "install", "--quiet", "--python", python, *sorted(names)]
        subprocess.run(install, check=True)
        yield python


@pytest.fixture(scope="module")
def postgres() -> Iterator[dict[str, str]]:
    if not IS_ROOT or not servers.POSTGRES_IS_HERE:
        pytest.skip("PostgreSQL is not installed, or its server cannot have a user of its own")
    with servers.postgres(NAME) as port:
        yield {"SERVER_PORT": str(port)}


@pytest.fixture(scope="module")
def ssh(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    if not IS_ROOT or not servers.SSHD_IS_HERE:
        pytest.skip("ssh, sshd or git is not installed, or sshd cannot let root in")
    sshd = servers.Sshd(tmp_path_factory.mktemp("sshd"), place.files(), user=place.mode.script)
    yield {"SERVER_FOLDER": str(sshd.folder)}
    sshd.stop()


def run(
    place: Place, script: dict[str, Any], python: str, *, memory_mb: int = 0
) -> tuple[dict[str, Any], str]:
    """Run a script to its end: its verdict, and the last line it wrote."""
    limits = LIMITS | {"memory_mb": memory_mb} if memory_mb else LIMITS
    more = {"env": script.get("env", {}), "limits": limits, "name": NAME}
    if script.get("packages"):
        more |= {"python": python, "flags": "", "also_read": [str(Path(python).parent.parent)]}
    folder = place.start(script["code"], **more)
    verdict = place.launcher.path(folder) / "exit.json"
    wait_for(verdict.exists, limit_s=RUN_LIMIT_S)
    records = place.launcher.records_of(folder)
    lines = joined(records, "O").decode().splitlines()
    told = place.launcher.exit_of(folder)
    told["stderr"] = joined(records, "E").decode()  # for whoever reads a failed assertion
    return told, lines[-1] if lines else ""


def assert_does_its_job(place: Place, script: dict[str, Any], python: str) -> None:
    library = script.get("needs_library")
    if library and not ctypes.util.find_library(library):
        pytest.skip(f"this machine has no {library}")
    told, line = run(place, script, python)
    assert (told["status"], told["reason"]) == (
        script.get("status", "succeeded"),
        script.get("reason", ""),
    ), told
    assert script.get("message", "") in told["message"]
    if told["status"] == "succeeded":
        assert line == script["output"]
    if script.get("memory_mb"):
        told, line = run(place, script, python, memory_mb=script["memory_mb"])
        assert (told["status"], line) == ("succeeded", script["output"]), told


@pytest.mark.parametrize("script", scripts(with_packages=False))
def test_a_script_without_packages_does_its_job_or_says_why(
    place: Place, script: dict[str, Any]
) -> None:
    assert_does_its_job(place, script, PYTHON)


@pytest.mark.network
@pytest.mark.packages
@pytest.mark.parametrize("script", scripts(with_packages=True))
def test_a_script_with_packages_does_its_job_or_says_why(
    request: pytest.FixtureRequest,
    place: Place,
    python_with_packages: str,
    script: dict[str, Any],
) -> None:
    if "server" in script:
        script = {**script, "env": request.getfixturevalue(script["server"])}
    assert_does_its_job(place, script, python_with_packages)
