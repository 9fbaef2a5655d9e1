"""What django-q2's workers call; each body is one verb.

Each admits first: a run that is queued while any task waits adds none of its own (`triggers.enqueue_admission`).
"""

from django.utils import timezone

from runs_app.admission import admission
from runs_app.history import deleted, retention
from runs_app.models import Run
from scripts_app.environments import cleanup


def admit() -> None:
    admission.admit(now=timezone.now())


def prune() -> None:
    admit()
    retention.prune(now=timezone.now())


def collect_environments() -> None:
    """Remove environments that nothing names any more."""
    admit()
    active = Run.objects.active().exclude(environment=None)
    in_use = {pk for pk in active.values_list("environment_id", flat=True) if pk is not None}
    cleanup.collect(timezone.now(), in_use=in_use)


def purge_scripts() -> None:
    """Empty what was deleted 30 days ago."""
    admit()
    deleted.purge(now=timezone.now())


def never_called_by_q2() -> None:
    """Raise RuntimeError: the rows of alarms name this function, and no cluster of django-q2 may serve them."""
    raise RuntimeError("alarms are served by Tempo's ticker, not by a cluster of django-q2")
