"""Admission: which queued runs may begin, in order, under the cap."""

import logging
from datetime import datetime

import psutil
from django.conf import settings
from django.db import transaction
from django.db.models import Q

from runs_app import ending, execution
from runs_app.models import Run, RunQuerySet
from runs_app.states import Kind, Reason, Status
from scripts_app import environments
from scripts_app.models import Environment

logger = logging.getLogger(__name__)

MIN_AVAILABLE_MB = 64  # below this much available memory a run begins only when no other is under way


def admit(*, now: datetime) -> int:
    """Move the oldest queued runs to `starting` while there are places, hand them over, return how many."""
    admitted = claim(now=now)
    for run in admitted:
        try:
            execution.hand_over(run, now=now)
        except Exception:  # the others must not wait for it; the sweep hands it over again
            logger.exception("run %s could not be handed over", run.pk)
    return len(admitted)


def claim(*, now: datetime) -> list[Run]:
    """Move as many queued runs as fit, oldest first, in one transaction; a second caller finds them gone."""
    queued = set(Run.objects.filter(status=Status.QUEUED).order_by().values_list("kind", flat=True).distinct())
    if not queued or (Kind.BUILD not in queued and _places() <= 0):
        return []  # without the write lock: most rings find nothing to do
    with transaction.atomic():
        runs = [*(_builds() if Kind.BUILD in queued else ()), *(_scripts() if Kind.SCRIPT in queued else ())]
        return [run for run in runs if _begin(run, now)]


def _builds() -> list[Run]:
    """The next build, outside the slots and one at a time."""
    if Run.objects.filter(kind=Kind.BUILD).under_way().exists():
        return []
    return list(_queued(Kind.BUILD).select_related("environment")[:1])


def _scripts() -> list[Run]:
    """The queued runs for which there is a place, some memory, and an environment that is not about to be another."""
    places = _places()
    if places <= 0:
        return []
    if psutil.virtual_memory().available < MIN_AVAILABLE_MB * 2**20:
        places = 1 if places == settings.MAX_CONCURRENT_RUNS else 0
    ready = _queued(Kind.SCRIPT).filter(script__environment__state=Environment.State.READY)
    settled = ready.exclude(script__wanted_environment__state__in=environments.UNFINISHED)
    related = settled.select_related("script", "script__environment", "version")
    return list(related.defer("script__environment__lock", "script__environment__requirements")[:places])


def _places() -> int:
    places: int = settings.MAX_CONCURRENT_RUNS - Run.objects.filter(kind=Kind.SCRIPT).under_way().count()
    return places


def _queued(kind: Kind) -> RunQuerySet:
    return Run.objects.filter(kind=kind, status=Status.QUEUED).order_by("pk")


def _begin(run: Run, now: datetime) -> bool:
    """Claim one run; its folder and environment are fixed in the same UPDATE."""
    if run.kind == Kind.SCRIPT and run.script:
        run.environment = run.script.environment
    run.status = Status.STARTING
    run.folder = execution.new_folder_name(run, now)
    run.handed_over_at = now
    return Run.objects.filter(pk=run.pk).move(
        Status.STARTING, reason="", folder=run.folder, handed_over_at=now, environment=run.environment
    )


def fail_without_environment(*, now: datetime) -> None:
    """End the runs that wait for an environment nobody will build: it failed, or the script was deleted."""
    not_ready = Q(script__environment=None) | ~Q(script__environment__state=Environment.State.READY)
    hopeless = Q(script__wanted_environment__state=Environment.State.FAILED) | Q(script__deleted_at__isnull=False)
    for run in _queued(Kind.SCRIPT).filter(not_ready, hopeless).select_related("script__wanted_environment"):
        wanted = run.script.wanted_environment if run.script else None
        why = wanted.message if wanted and wanted.message else "its script was deleted."
        message = f"Its environment was not built: {why}"[:2000]
        ending.end(run, Status.FAILED, only=Status.QUEUED, now=now, reason=Reason.ENVIRONMENT, message=message)
