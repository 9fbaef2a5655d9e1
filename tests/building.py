"""Building environments without a run: the drivers' processes in their order, neither confined nor watched."""

import json
import os
import shutil
import subprocess
from pathlib import Path

from scripts_app.environments import builds
from scripts_app.environments.drivers.build_config import CONFIG
from scripts_app.models import Environment
from scripts_app.packages import index
from tempo_site.lib import paths
from tests.factories import NOW

LIMIT_S = 60


def work(name: str = "test") -> Path:
    """The folder of a build alone."""
    return paths.environments() / f".tmp-{name}"


def begin(environment: Environment, folder: Path | None = None) -> Path:
    """Claim an environment for a build that keeps its files in `folder`; returns the drivers' config."""
    config = (folder or paths.data()) / CONFIG
    assert builds.begin(environment, config_path=config, work=work())
    return config


def finish(
    environment: Environment,
    folder: Path | None = None,
    *,
    succeeded: bool,
    message: str = "",
    is_interrupted: bool = False,
) -> bool:
    """Take over what the build has left."""
    is_ready = builds.finish(
        environment,
        folder=folder or paths.data(),
        work=work(),
        succeeded=succeeded,
        message=message,
        now=NOW,
        is_interrupted=is_interrupted,
    )
    shutil.rmtree(work(), ignore_errors=True)
    ((folder or paths.data()) / builds.RESULT).unlink(missing_ok=True)
    return is_ready


def run_drivers(config: Path) -> "subprocess.CompletedProcess[str]":
    """Run the steps of a build, each after the success of the one before it."""
    answers = [_run(argv, config) for argv in steps(config)[:1]]
    for argv in steps(config)[1:]:
        if answers[-1].returncode == 0:
            answers.append(_run(argv, config))
    output = "".join(answer.stdout for answer in answers)
    return subprocess.CompletedProcess(config, answers[-1].returncode, output, "")


def steps(config: Path) -> list[list[str]]:
    """The command lines of a build."""
    content = json.loads(config.read_text())
    first = builds.driver_argv("install", config)
    if content["allows_source"]:
        source = Path(content["work"]) / "source"
        first = builds.driver_argv("install", source / CONFIG, "source")
    return [first, builds.driver_argv("complete", config)]


def variables(config: Path) -> dict[str, str]:
    """What the first driver gets to know of the index, log-ins included."""
    content = json.loads(config.read_text())
    found = {**os.environ, **index.variables(), **index.secrets()}
    if content["allows_source"]:
        found["UV_CACHE_DIR"] = str(Path(content["work"]) / "source" / "cache")
    return found


def _run(argv: list[str], config: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        argv,
        env=variables(config),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_S,
    )
