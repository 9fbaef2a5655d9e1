"""Wanted environments become builds, one at a time; a build is a run like any other."""

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
    """Start the build of the oldest wanted environment unless one is under way; returns its run, if any."""
    unbuilt = Environment.objects.filter(
        state__in=(Environment.State.WANTED, Environment.State.BUILDING)
    )
    if not unbuilt.exists() or Run.objects.own_programs().active().exists():
        return None
    # Nobody builds: what says it is being built was left behind by a crash.
    unbuilt.filter(state=Environment.State.BUILDING).update(state=Environment.State.WANTED)
    environment = environments.next_wanted()
    if environment is None:
        return None
    try:
        return triggers.start_build(environment, now=now)
    except triggers.Refused as refusal:
        logger.warning("environment %s is not built: %s", environment.pk, refusal)
        return None


def install_python(version: str, *, by: str, now: datetime) -> Run:
    """Queue the installation of a Python, unless one of the same version is under way; returns its run.

    Raises ScriptError for what is no such version.
    """
    wanted = python_installation.check(version)
    same = Run.objects.of_kind(Kind.INSTALL).filter(params={"python": wanted})
    return same.active().first() or triggers.start_installation(wanted, by=by, now=now)


def installations(*, at_most: int) -> list[Run]:
    """The newest runs that installed a Python, or try to."""
    rows = Run.objects.of_kind(Kind.INSTALL)
    return list(rows.newest_first()[:at_most])


def run_of(environment: Environment | None) -> Run | None:
    """Return the newest run that built this environment, or tries to."""
    return (
        Run.objects.filter(kind=Kind.BUILD, environment=environment).newest_first().first()
        if environment
        else None
    )


def runs_of(built: Iterable[Environment]) -> dict[int, Run]:
    """The newest build of each of these environments, by environment, in one query."""
    rows = Run.objects.filter(kind=Kind.BUILD, environment__in=built).order_by("pk")
    return {run.environment_id: run for run in rows if run.environment_id}


def progress_of(run: Run | None) -> BuildProgress | None:
    """How far a build is, from its folder; None while it has not said, and once it is over."""
    if run is None or run.is_final or not run.folder:
        return None
    return builds.progress(paths.run_folder(run.folder))
