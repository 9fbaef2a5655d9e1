"""A run by its number, for every door alike."""

from django.http import Http404

from runs_app.models import Run

LONG_TEXTS = ("version__code", "version__requirements", "environment__lock")


def run(pk: int) -> Run:
    """Return a run with all that a page or its JSON shows, in one query. Raises Http404."""
    rows = Run.objects.select_related("script", "version", "environment", "schedule")
    found = rows.defer(*LONG_TEXTS).filter(pk=pk).first()
    if found is None:
        raise Http404(f"There is no run {str(pk)[:20]}. Old ones are deleted after a while.")
    return found
