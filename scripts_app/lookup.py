"""Scripts and schedules by what an address names them with, for every door alike."""

from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import Http404

from scripts_app.models import Environment, Folder, Schedule, Script, Version
from scripts_app.schedules import outlook
from tempo_site.lib.sqlite.prepared import Given, PreparedQuery

# A lock with its hashes is longer than most scripts.
LONG_TEXTS = (
    "environment__lock",
    "environment__requirements",
    "wanted_environment__lock",
    "wanted_environment__requirements",
)


# Of a script's URL trigger its JSON shows the switches alone.
OF_TRIGGER = tuple(
    f"url_trigger__{name}" for name in ("secret", "older_secret", "headers", "rules")
)


def scripts(among: QuerySet[Script] | None = None) -> QuerySet[Any]:
    """Return scripts, by default those not deleted, with all that a page or their JSON shows, in one query."""
    rows = Script.objects.present() if among is None else among
    related = rows.select_related(
        "folder", "version", "environment", "wanted_environment", "url_trigger"
    )
    return related.defer(*LONG_TEXTS, *OF_TRIGGER)


_SCRIPT = PreparedQuery(lambda: scripts().filter(slug=Given("slug")))


def script(slug: str, among: QuerySet[Script] | None = None) -> Any:
    """Return a script, by default one that was not deleted. Raises Http404."""
    if among is None:
        found = _SCRIPT.first(slug=slug)
    else:
        found = scripts(among).filter(slug=slug).first()
    if found is None:
        raise no_script(slug)
    return found


def scripts_to_start() -> QuerySet[Script]:
    """Return the scripts that were not deleted with what a run of theirs needs, and no more.

    Behind it comes `environments.use_one_row`.
    """
    related = Script.objects.present().select_related("version", "environment")
    return related.defer(*LONG_TEXTS[:2], "description", "copies", "version__requirements")


def no_script(slug: str) -> Http404:
    return Http404(f"There is no script `{slug[:80]}`.")


def script_for_page(slug: str, *, now: datetime) -> Any:
    """Return a script that was not deleted, with what the head of its pages says of its schedules. Raises Http404."""
    found = script(slug, outlook.with_alarms(Script.objects.present()))
    outlook.set_next_starts([found], now)
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


def require_known(*, script: str = "", folder: str = "") -> None:
    """Raise Http404 for a script or a folder that a list is to be of and that there never was; "" is none.

    A script that was deleted is known: its runs are still there.
    """
    if script and not Script.objects.filter(slug=script).exists():
        raise no_script(script)
    if folder:
        folder_at(folder)


def folder_at(path: str) -> Folder:
    """Return the folder of a path. Raises Http404."""
    found = Folder.objects.filter(path=path).first()
    if found is None:
        raise Http404(f"There is no folder `{path[:200]}`.")
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
    rows = outlook.with_pause(Schedule.objects.filter(script__deleted_at=None))
    if slug:
        rows = rows.filter(script__slug=slug)
    found = rows.filter(pk=pk).first()
    if found is None:
        of_script = f" of `{slug[:80]}`" if slug else ""
        raise Http404(f"There is no schedule {str(pk)[:20]}{of_script}.")
    return found
