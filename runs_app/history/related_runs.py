"""Runs that belong to a run: the run before and after, and the tries of the same due moment."""

from django.db.models import Q

from runs_app.models import Run, RunQuerySet
from runs_app.states import Kind


def neighbours(run: Run) -> tuple[int | None, int | None]:
    """Return the ids of the run before and the run after this run, of the same script or environment."""
    rows = _of_same_subject(run)
    if rows is None:
        return None, None
    before = rows.filter(pk__lt=run.pk).order_by("-pk").values_list("pk", flat=True).first()
    after = rows.filter(pk__gt=run.pk).order_by("pk").values_list("pk", flat=True).first()
    return before, after


def _of_same_subject(run: Run) -> RunQuerySet | None:
    if run.script_id:
        return Run.objects.filter(script=run.script_id)
    if run.environment_id:
        return Run.objects.filter(kind=Kind.BUILD, environment=run.environment_id)
    return None


def tries(run: Run) -> list[Run]:
    """Return the tries of the same due moment, the first try first; an empty list when there is only one try."""
    first = run.parent_id if run.attempt > 1 else run.pk
    # A run without a schedule is never tried again.
    is_only_try = run.attempt == 1 and run.schedule_id is None
    if first is None or is_only_try:
        return []
    rows = Run.objects.filter(Q(pk=first) | Q(parent=first, attempt__gt=1)).order_by("pk")
    found = list(rows.only("status", "attempt"))
    return found if len(found) > 1 else []
