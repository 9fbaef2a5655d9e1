"""Scripts and schedules by what an address names them with, for every door alike."""

from typing import Any

from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce, Greatest
from django.http import Http404

from scripts_app.models import Environment, Folder, Schedule, Script, ScriptQuerySet, Version


def scripts(among: ScriptQuerySet | None = None) -> ScriptQuerySet:
    """Scripts, by default those that were not deleted, with all that a page or their JSON shows, in one query."""
    rows = (Script.objects.present() if among is None else among).select_related(
        "folder", "version", "environment", "wanted_environment"
    )
    heavy = ("lock", "requirements")  # a lock with its hashes is longer than most scripts
    return rows.defer(
        *(f"{name}__{field}" for name in ("environment", "wanted_environment") for field in heavy)
    )


def with_next(rows: QuerySet[Script]) -> QuerySet[Any]:
    """Add `next_at`, the next due moment or None, and `starts_with_tempo`, whether a start-up schedule is armed.

    A schedule that is paused starts nothing before the end of its pause, which then counts as its next moment.
    """
    armed = Schedule.objects.armed().filter(script=OuterRef("pk"))
    # of NULL nothing is the greatest
    first = Coalesce(Greatest("alarm__next_run", "paused_until"), "alarm__next_run")
    due = armed.filter(alarm__next_run__isnull=False).annotate(first=first).order_by("first")
    return rows.annotate(
        next_at=Subquery(due.values("first")[:1]),
        starts_with_tempo=Exists(armed.filter(kind=Schedule.Kind.STARTUP)),
    )


def script(slug: str) -> Any:
    """Return a script that was not deleted, with what `with_next` adds. Raises Http404."""
    found = with_next(scripts()).filter(slug=slug).first()
    if found is None:
        raise Http404(f"There is no script `{slug[:80]}`.")
    return found


def deleted(slug: str) -> Script:
    """Return a script that was deleted and can be restored. Raises Http404."""
    found = Script.objects.restorable().filter(slug=slug).first()
    if found is None:
        raise Http404(f"There is no deleted script `{slug[:80]}`.")
    return found


def folder(pk: int) -> Folder:
    """Return a folder. Raises Http404."""
    found = Folder.objects.filter(pk=pk).first() if pk < 2**63 else None
    if found is None:
        raise Http404(f"There is no folder {str(pk)[:20]}.")
    return found


def environment(pk: int) -> Environment:
    """Return an environment. Raises Http404."""
    found = Environment.objects.filter(pk=pk).first() if pk < 2**63 else None
    if found is None:
        raise Http404(f"There is no environment {str(pk)[:20]}.")
    return found


def version(script: Script, number: int) -> Version:
    """Return a version of a script, with its environment. Raises Http404."""
    rows = Version.objects.filter(script=script).select_related("environment")
    found = rows.filter(number=number).first() if 0 < number < 2**31 else None
    if found is None:
        raise Http404(f"There is no version {str(number)[:20]} of this script.")
    return found


def schedule(pk: int, *, slug: str = "") -> Schedule:
    """Return a schedule, of the script `slug` if one is given, that was not deleted. Raises Http404."""
    rows = Schedule.objects.filter(script__deleted_at=None).select_related("script", "alarm")
    found = (rows.filter(script__slug=slug) if slug else rows).filter(pk=pk).first()
    if found is None:
        raise Http404(f"There is no schedule {str(pk)[:20]}{f' of `{slug[:80]}`' if slug else ''}.")
    return found
