"""Wanted environments become builds, one at a time; a build is a run like any other."""

import logging
from datetime import datetime

from runs_app import triggers
from runs_app.models import Run
from runs_app.states import Kind
from scripts_app import environments
from scripts_app.models import Environment

logger = logging.getLogger(__name__)


def sweep(*, now: datetime) -> Run | None:
    """Start the build of the oldest wanted environment unless one is under way; returns its run, if any."""
    unbuilt = Environment.objects.filter(state__in=(Environment.State.WANTED, Environment.State.BUILDING))
    if not unbuilt.exists() or Run.objects.filter(kind=Kind.BUILD).active().exists():
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
