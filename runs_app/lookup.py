"""A run by its number, for every door alike."""

from django.http import Http404

from runs_app.models import Run
from tempo_site.lib.sqlite.prepared import Given, PreparedQuery

LONG_TEXTS = ("version__code", "version__requirements", "environment__lock")

_RUN = PreparedQuery(
    lambda: (
        Run.objects.select_related("script", "version", "environment", "schedule")
        .defer(*LONG_TEXTS)
        .filter(pk=Given("pk"))
    )
)


def run(pk: int) -> Run:
    """Return a run with all that a page or its JSON shows, in one query. Raises Http404."""
    found = _RUN.first(pk=pk) if 0 < pk < 2**63 else None
    if found is None:
        raise Http404(f"There is no run {str(pk)[:20]}. Old ones are deleted after a while.")
    return found
