"""The building of an environment, by drivers of Tempo's own: unpacking, then compiling and looking at it."""

import contextlib
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import transaction

from runs_app import launcher_client
from runs_app.models import Run
from runs_app.programs import driver
from runs_app.programs.program import NothingToRun, ProgramSpec, StepSpec
from runs_app.states import Kind, Reason, Status
from scripts_app.environments import builds, cleanup
from scripts_app.environments.drivers import build_config
from scripts_app.files import users
from scripts_app.models import Environment
from scripts_app.packages import index
from scripts_app.variables.variables import RunVariables
from tempo_site.lib import files, paths

WAITS_FOR = driver.WAITS_FOR
CONFIG = build_config.CONFIG
MAX_CONFIG_BYTES = 16 * 2**20  # with the lock of a thousand packages


def title(run: Run) -> str:
    if run.environment is None:
        return "-"
    return f"Python {run.environment.python}"


def variables(run: Run) -> RunVariables:
    # A build from source runs the code of packages, which gets no log-in.
    if run.environment is None or run.environment.allows_source:
        return RunVariables(plain={}, secrets={})
    return RunVariables(plain={}, secrets=index.secrets())


def spec(run: Run, folder: Path, _: Mapping[str, str]) -> ProgramSpec:
    environment = run.environment
    if environment is None:
        raise NothingToRun(
            "The environment it was to build is not wanted any more.", Reason.NOT_WANTED
        )
    found = _launcher_isolation(environment)
    refusal = _why_not_from_source(found) if environment.allows_source else ""
    if refusal:
        raise NothingToRun(refusal, Reason.COULD_NOT_START)
    config = folder / CONFIG
    # Begun by a process that died before it wrote this, or by an older Tempo.
    if not _is_config(config):
        building = Environment.objects.filter(pk=environment.pk, state=Environment.State.BUILDING)
        building.update(state=Environment.State.WANTED)
    work = paths.environments() / work_folder(run)
    builds.begin(environment, config_path=config, work=work, isolation_support=found)
    if environment.allows_source:
        return _spec_from_source(run, folder, environment, config, work)
    return _spec_of_wheels(run, folder, environment, config, work)


def _spec_of_wheels(
    run: Run, folder: Path, environment: Environment, config: Path, work: Path
) -> ProgramSpec:
    cache = paths.cache() / "uv"
    cache.mkdir(parents=True, exist_ok=True)
    return driver.spec(
        run,
        folder,
        builds.driver_argv("install", config),
        index.variables(),
        isolation=driver.isolation(write=[work, cache, folder], python=environment.interpreter),
        then=[_complete(environment, folder, config, work)],
    )


def _spec_from_source(
    run: Run, folder: Path, environment: Environment, config: Path, work: Path
) -> ProgramSpec:
    source = work / build_config.SOURCE
    uid, uid_why = users.builder()
    isolation = driver.isolation(write=[source, folder / "tmp"], python=environment.interpreter)
    spec = driver.spec(
        run,
        folder,
        builds.driver_argv("install", source / build_config.CONFIG, build_config.SOURCE),
        {**index.variables(), "UV_CACHE_DIR": str(source / "cache"), "HOME": str(source)},
        isolation={**isolation, "uid": uid, "uid_why": uid_why, "require": "confined"},
        then=[_complete(environment, folder, config, work)],
    )
    return {**spec, "cwd": str(source)}


def _complete(environment: Environment, folder: Path, config: Path, work: Path) -> StepSpec:
    # In the work folder, as the builder may have got the run's `tmp/`.
    places = {"UV_CACHE_DIR": str(work / "cache"), "HOME": str(work), "TMPDIR": str(work)}
    return {
        "argv": builds.driver_argv("complete", config),
        "cwd": str(work),
        "env": {**index.variables(), **places},
        "isolation": driver.isolation(write=[work, folder], python=environment.interpreter),
    }


def finished(run: Run, *, now: datetime) -> None:
    if run.environment is None:
        return
    name = work_folder(run)
    builds.finish(
        run.environment,
        folder=paths.run_folder(run.folder),
        work=paths.environments() / name,
        succeeded=run.status == Status.SUCCEEDED,
        message=run.explain(),
        now=now,
        is_interrupted=_is_interrupted(run),
    )
    transaction.on_commit(lambda: remove_work_folder(name), robust=True)


def work_folder(run: Run) -> str:
    """Return the name of the folder beside the environments that belongs to a build alone."""
    return cleanup.TEMPORARY + run.folder.rpartition("/")[2].replace("-", "_")


def remove_work_folder(name: str) -> None:
    if not cleanup.remove_work(name):
        _have_removed(name)


def remove_leftovers() -> None:
    """Remove the work folders of builds that are over."""
    under_way = Run.objects.under_way().filter(kind=Kind.BUILD)
    for name in cleanup.remove_temporary(in_use={work_folder(run) for run in under_way}):
        _have_removed(name)


def _have_removed(name: str) -> None:
    # What packages' code has made belongs to another user. Without the launcher: at the next start.
    with contextlib.suppress(launcher_client.LauncherError):
        launcher_client.launcher.remove(name, "build")


def _why_not_from_source(found: Mapping[str, Any]) -> str:
    is_kept_by_user = found.get("own_users") and found.get("keeps_modes")
    if not is_kept_by_user and not found.get("landlock"):
        return (
            "Building from source would run the code of packages with all rights of Tempo: "
            "here is neither a user of its own for it nor Landlock.\n"
            "hint: name versions that have wheels"
        )
    if index.log_ins():
        names = ", ".join(index.log_ins())
        return (
            f"Building from source runs the code of packages, which could read the log-in in {names}.\n"
            "hint: put a wheel of the package into your index"
        )
    return ""


def _is_config(path: Path) -> bool:
    try:
        content = json.loads(files.read_regular(path, max_bytes=MAX_CONFIG_BYTES))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and "work" in content


def _launcher_isolation(environment: Environment) -> dict[str, Any]:
    # What keeps scripts of this installation from what is not theirs. For a build from source the launcher has to say.
    try:
        found = launcher_client.launcher.ping().get("isolation")
    except launcher_client.LauncherError:
        if environment.allows_source:
            raise
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
