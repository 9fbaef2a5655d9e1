"""Scripts and schedules by what an address names them with, for every door alike."""

from django.db.models import OuterRef, Subquery
from django.http import Http404

from scripts_app.models import Schedule, Script, ScriptQuerySet


def scripts() -> ScriptQuerySet:
    """Scripts that were not deleted, with all that a page or their JSON shows, in one query."""
    rows = Script.objects.present().select_related("folder", "version", "environment", "wanted_environment")
    heavy = ("lock", "requirements")  # a lock with its hashes is longer than most scripts
    return rows.defer(*(f"{name}__{field}" for name in ("environment", "wanted_environment") for field in heavy))


def script(slug: str) -> Script:
    """Return a script that was not deleted, with `next_at`, its next due moment or None. Raises Http404."""
    due = Schedule.objects.armed().filter(script=OuterRef("pk"), alarm__next_run__isnull=False)
    next_at = Subquery(due.order_by("alarm__next_run").values("alarm__next_run")[:1])
    found = scripts().annotate(next_at=next_at).filter(slug=slug).first()
    if found is None:
        raise Http404(f"There is no script `{slug[:80]}`.")
    return found


def schedule(pk: int, *, slug: str = "") -> Schedule:
    """Return a schedule, of the script `slug` if one is given, that was not deleted. Raises Http404."""
    rows = Schedule.objects.filter(script__deleted_at=None).select_related("script", "alarm")
    found = (rows.filter(script__slug=slug) if slug else rows).filter(pk=pk).first()
    if found is None:
        raise Http404(f"There is no schedule {str(pk)[:20]}{f' of `{slug[:80]}`' if slug else ''}.")
    return found
