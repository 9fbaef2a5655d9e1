"""What django-q2's workers call; each body is one verb.

Each admits first: a run that is queued while any task waits adds none of its own (`triggers.enqueue_admission`).
"""

from django.utils import timezone

from runs_app.admission import admission
from runs_app.history import deleted, retention
from runs_app.models import Run
from scripts_app.environments import cleanup


def admit() -> None:
    """Let queued runs begin."""
    admission.admit(now=timezone.now())


def prune() -> None:
    """Apply retention to the history."""
    admit()
    retention.prune(now=timezone.now())


def collect_environments() -> None:
    """Remove environments that nothing names any more."""
    admit()
    in_use = Run.objects.active().exclude(environment=None).values_list("environment_id", flat=True)
    cleanup.collect(timezone.now(), in_use={pk for pk in in_use if pk})


def purge_scripts() -> None:
    """Empty what was deleted 30 days ago."""
    admit()
    deleted.purge(now=timezone.now())
