"""The building of an environment, by a driver of Tempo's own."""

import os
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings

from runs_app import launcher_client
from runs_app.models import Run
from runs_app.programs import driver
from runs_app.programs.program import NothingToRun, ProgramSpec
from runs_app.states import Kind, Reason, Status
from scripts_app.environments import builds
from scripts_app.models import Environment
from scripts_app.packages import index
from scripts_app.variables.variables import RunVariables
from tempo_site.lib import paths

WAITS_FOR = driver.WAITS_FOR
CONFIG = "build.json"


def title(run: Run) -> str:
    if run.environment is None:
        return "-"
    return f"Python {run.environment.python}"


def variables(_: Run) -> RunVariables:
    return RunVariables(plain={}, secrets=index.secrets())


def spec(run: Run, folder: Path, _: Mapping[str, str]) -> ProgramSpec:
    environment = run.environment
    if environment is None:
        raise NothingToRun(
            "The environment it was to build is not wanted any more.", Reason.NOT_WANTED
        )
    config = folder / CONFIG
    if not config.exists():  # begun by a process that died before it wrote this
        building = Environment.objects.filter(pk=environment.pk, state=Environment.State.BUILDING)
        building.update(state=Environment.State.WANTED)
    builds.begin(environment, config_path=config, isolation_support=_launcher_isolation())
    isolation = source_isolation(environment, folder) if environment.allows_source else None
    argv = builds.driver_argv(config)
    return driver.spec(run, folder, argv, index.variables(), isolation=isolation)


def finished(run: Run, *, now: datetime) -> None:
    if run.environment is None:
        return
    builds.finish(
        run.environment,
        folder=paths.run_folder(run.folder),
        succeeded=run.status == Status.SUCCEEDED,
        message=run.explain(),
        now=now,
        is_interrupted=_is_interrupted(run),
    )


def source_isolation(environment: Environment, folder: Path) -> dict[str, Any]:
    """Return what a build from source may read and write: such a build executes code of the packages' authors."""
    # It stays Tempo's own user, who has to own what comes of it; so only Landlock keeps it from the rest of the data.
    own = [sys.prefix, sys.base_prefix, str(settings.BASE_DIR / "scripts_app")]
    prefix = Path(environment.interpreter).resolve().parent.parent
    places = (settings.PACKAGE_FIND_LINKS, os.environ.get("SSL_CERT_FILE", ""))
    local = [place for place in places if place.startswith("/")]
    return {
        "uid": None,
        "uid_why": "environments are built by Tempo's own user",
        "read": [*own, str(prefix), *local],
        "write": [str(paths.environments()), str(folder)],
        "closed": [
            str(paths.data()),
            str(settings.BASE_DIR),
        ],
        "require": "",
    }


def _launcher_isolation() -> dict[str, Any]:
    # What keeps scripts of this installation from what is not theirs; nothing when the launcher does not say.
    try:
        found = launcher_client.launcher.ping().get("isolation")
    except launcher_client.LauncherError:
        return {}
    if not isinstance(found, dict):
        return {}
    return found


def _is_interrupted(run: Run) -> bool:
    # A build deserves another try by itself after a shutdown, when it is lost for the first time in a row, and when
    # somebody wants its environment again.
    if run.status != Status.LOST:
        return run.reason in (Reason.SHUTDOWN, Reason.NOT_WANTED)
    before = Run.objects.filter(
        kind=Kind.BUILD,
        environment=run.environment,
        pk__lt=run.pk,
    )
    statuses = before.order_by("-pk").values_list("status", flat=True)
    return statuses.first() != Status.LOST
