"""Wanted environments become builds, in single file; a build is a run like any other."""

import logging
from collections.abc import Iterable
from datetime import datetime

from runs_app.models import Run
from runs_app.states import Kind
from runs_app.triggers import triggers
from scripts_app.environments import builds, environments, python_installation
from scripts_app.environments.builds import BuildProgress
from scripts_app.models import Environment
from tempo_site.lib import paths

logger = logging.getLogger(__name__)


def sweep(*, now: datetime) -> Run | None:
    unbuilt = Environment.objects.filter(state__in=environments.UNFINISHED)
    if not unbuilt.exists():
        return None
    if Run.objects.own_programs().exclude(kind=Kind.BACKUP).active().exists():
        return None
    # Without a build, an environment that says it is being built was left behind by a crash.
    left_behind = unbuilt.filter(state=Environment.State.BUILDING)
    left_behind.update(state=Environment.State.WANTED)
    environment = environments.next_wanted(of_runs=Run.objects.awaited_environments())
    if environment is None:
        return None
    try:
        return triggers.start_build(environment, now=now)
    except triggers.Refused as refusal:
        logger.warning("environment %s is not built: %s", environment.pk, refusal)
        return None


def install_python(version: str, *, by: str, now: datetime) -> Run:
    """Queue an installation, or return the active run for the same version. Raises ScriptError."""
    checked = python_installation.check(version)
    same_version = Run.objects.of_kind(Kind.INSTALL).filter(params={"python": checked})
    active = same_version.active().first()
    return active or triggers.start_installation(checked, by=by, now=now)


def installations(*, limit: int) -> list[Run]:
    rows = Run.objects.of_kind(Kind.INSTALL).newest_first()
    return list(rows[:limit])


def run_of(environment: Environment | None) -> Run | None:
    if environment is None:
        return None
    rows = Run.objects.filter(kind=Kind.BUILD, environment=environment)
    return rows.newest_first().first()


def runs_of(environments_: Iterable[Environment]) -> dict[int, Run]:
    """Return the newest build of each environment by the environment's id, in a single query."""
    found: dict[int, Run] = {}
    rows = Run.objects.filter(kind=Kind.BUILD, environment__in=environments_)
    for run in rows.order_by("pk"):
        if run.environment_id:
            found[run.environment_id] = run
    return found


def progress_of(run: Run | None) -> BuildProgress | None:
    """Return how far a build is, from the run's folder; None before the first step and after the end."""
    if run is None or run.is_final or not run.folder:
        return None
    return builds.progress(paths.run_folder(run.folder))
