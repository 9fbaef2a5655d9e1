"""What a key reaches that is limited to some scripts and folders; None for limits is everything."""

from collections.abc import Iterable

from django.db.models import Q, QuerySet

from scripts_app import folders
from scripts_app.models import Folder, Script
from tempo_site.accounts.keys import KeyLimits, KeyRefused


def scripts(limits: KeyLimits | None) -> QuerySet[Script] | None:
    """Return the scripts within the limits, deleted ones too, as a part of other queries; None without limits."""
    if limits is None:
        return None
    condition = Q(pk__in=limits.scripts)
    for path in Folder.objects.filter(pk__in=limits.folders).values_list("path", flat=True):
        condition |= Q(folder__path=path) | folders.within(path, field="folder__path")
    return Script.objects.filter(condition).order_by()


def within(limits: KeyLimits | None, field: str) -> Q:
    """Return the condition that `field`, a reference to a script, lies within the limits."""
    found = scripts(limits)
    return Q() if found is None else Q(**{f"{field}__in": found})


def covers(limits: KeyLimits | None, slug: str | None) -> bool:
    """Whether a script lies within the limits; what belongs to no script does not."""
    found = scripts(limits)
    return found is None or found.filter(slug=slug).exists()


def named(slugs: Iterable[str], paths: Iterable[str]) -> KeyLimits:
    """Return limits by slugs of scripts and paths of folders. Raise KeyRefused for one that is not there."""
    scripts_by_slug = dict(Script.objects.present().values_list("slug", "pk"))
    folders_by_path = dict(Folder.objects.values_list("path", "pk"))
    for slug in slugs:
        if slug not in scripts_by_slug:
            raise KeyRefused(f"There is no script `{slug[:80]}`.", field="scripts")
    for path in paths:
        if path not in folders_by_path:
            raise KeyRefused(f"There is no folder `{path[:80]}`.", field="folders")
    return KeyLimits(
        scripts=frozenset(scripts_by_slug[slug] for slug in slugs),
        folders=frozenset(folders_by_path[path] for path in paths),
    )


def names_of(limits: KeyLimits) -> tuple[list[str], list[str]]:
    """Return the slugs of the scripts and the paths of the folders that limits name."""
    slugs = Script.objects.filter(pk__in=limits.scripts).order_by("slug")
    paths = Folder.objects.filter(pk__in=limits.folders).order_by("path")
    return list(slugs.values_list("slug", flat=True)), list(paths.values_list("path", flat=True))
