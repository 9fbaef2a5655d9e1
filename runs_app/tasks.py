"""What django-q2's workers call; each body is one verb and takes far less than a second."""

from django.utils import timezone

from runs_app import history, queueing
from runs_app.models import Run
from scripts_app import environments


def admit() -> None:
    """Let queued runs begin."""
    queueing.admit(now=timezone.now())


def prune() -> None:
    """Apply retention to the history."""
    history.prune(now=timezone.now())


def collect_environments() -> None:
    """Remove environments that nothing names any more."""
    in_use = Run.objects.active().exclude(environment=None).values_list("environment_id", flat=True)
    environments.garbage(timezone.now(), in_use={pk for pk in in_use if pk})
