"""The installation of another Python, by a driver of Tempo's own; the run's `params` name the version."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from runs_app.models import Run
from runs_app.programs import driver
from runs_app.programs.program import ProgramSpec
from runs_app.states import Status
from scripts_app.environments import python_installation
from scripts_app.packages import index
from scripts_app.variables.variables import RunVariables
from tempo_site.lib import paths

WAITS_FOR = driver.WAITS_FOR


def title(run: Run) -> str:
    return f"Python {run.installs}"


def variables(_: Run) -> RunVariables:
    return RunVariables(plain={}, secrets=index.secrets())


def spec(run: Run, folder: Path, _: Mapping[str, str]) -> ProgramSpec:
    paths.make_passable(paths.pythons())
    argv = python_installation.argv(run.installs, folder)
    cache = paths.cache() / "uv"
    cache.mkdir(parents=True, exist_ok=True)
    return driver.spec(
        run,
        folder,
        argv,
        python_installation.variables(),
        isolation=driver.isolation(
            write=[paths.pythons(), cache, folder], read=python_installation.local_places()
        ),
    )


def finished(run: Run, *, now: datetime) -> None:
    if run.status == Status.SUCCEEDED:
        python_installation.note_success()
    if run.status != Status.FAILED or not run.folder:
        return
    message = python_installation.message(paths.run_folder(run.folder))
    if message:  # uv's own words
        Run.objects.filter(pk=run.pk).update(message=message)
        run.message = message
