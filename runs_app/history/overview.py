"""The list of all scripts: which of them are asked for, when each starts next, and how its last runs went."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.contrib.auth.models import User
from django.core.paginator import Page, Paginator
from django.db.models import OuterRef, Q, QuerySet, Subquery

from runs_app.history import recent_runs
from runs_app.history.recent_runs import Strip
from runs_app.models import Run
from scripts_app import folders, lookup, stars
from scripts_app.environments import environments
from scripts_app.models import Script
from scripts_app.schedules import outlook

STATES = {
    "enabled": "Enabled",
    "disabled": "Disabled",
    "failing": "Failing",
    "broken": "Environment broken",
}

PAGE = 100
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class ScriptFilter:
    """Which scripts a list shows; "" filters nothing, and so does a state that STATES does not know."""

    folder: str = ""
    words: str = ""
    state: str = ""
    tag: str = ""
    sort: str = ""  # "name", "next", "last" or "length"; else by folder and name
    user: User | None = None  # whose stars come first

    @property
    def is_narrow(self) -> bool:
        return bool(self.folder or self.words or self.state or self.tag)


class ListedScript(NamedTuple):
    """A script with `next_at`, `when` and `is_starred`, its newest run and the strip of its last ones."""

    script: Any
    last_run: Run | None
    strip: Strip


def listed_scripts(chosen: ScriptFilter, *, now: datetime) -> list[ListedScript]:
    """Return the scripts of a filter in its order, with as many queries for a thousand as for one."""
    return _listed(_keys_in_order(chosen, now=now), chosen.user, now=now)


def script_page(chosen: ScriptFilter, number: str, *, now: datetime) -> "Page[ListedScript]":
    """Return a page of them. What a row shows is asked for the scripts of the page alone."""
    page: Page[Any] = Paginator(_keys_in_order(chosen, now=now), PAGE).get_page(number)
    page.object_list = _listed(list(page), chosen.user, now=now)
    return page


def _keys_in_order(chosen: ScriptFilter, *, now: datetime) -> list[int]:
    rows = filter_scripts(chosen).annotate(is_starred=stars.has_star(chosen.user))
    match chosen.sort:
        case "next":
            rows = outlook.with_alarms(rows)
        case "last":
            rows = rows.annotate(last_run_id=_newest_run())
    scripts = list(rows.only("name", "tags").order_by("folder__path", "name", "pk"))
    if chosen.tag:  # a list of texts: SQLite cannot look into it by itself
        scripts = [script for script in scripts if chosen.tag in script.tags]
    _sort(scripts, chosen.sort, now=now)
    scripts.sort(key=lambda script: not script.is_starred)
    return [script.pk for script in scripts]


def _sort(scripts: list[Any], sort: str, *, now: datetime) -> None:
    match sort:
        case "name":
            scripts.sort(key=lambda script: script.name.casefold())
        case "next":
            outlook.set_next_starts(scripts, now)
            scripts.sort(key=lambda script: script.next_at or _NEVER)
        case "last":
            scripts.sort(key=lambda script: script.last_run_id or 0, reverse=True)
        case "length":
            strips = recent_runs.recent_runs_of(script.pk for script in scripts)
            medians = {pk: strip.median_s or 0 for pk, strip in strips.items()}
            scripts.sort(key=lambda script: medians.get(script.pk, 0), reverse=True)


def _listed(keys: Sequence[int], user: User | None, *, now: datetime) -> list[ListedScript]:
    found = {script.pk: script for script in _with_schedules_and_last_run(keys, user)}
    scripts = [found[key] for key in keys if key in found]
    outlook.set_next_starts(scripts, now)
    outlook.set_rhythms(scripts)
    strips = recent_runs.recent_runs_of(keys)
    newest = [script.last_run_id for script in scripts if script.last_run_id]
    last_runs = Run.objects.only("status", "started_at", "created_at").in_bulk(newest)
    return [
        ListedScript(script, last_runs.get(script.last_run_id), strips.get(script.pk, Strip()))
        for script in scripts
    ]


def all_tags() -> list[str]:
    """Return the tags of all scripts, each once."""
    rows = Script.objects.present().values_list("tags", flat=True)
    return sorted({tag for tags in rows for tag in tags}, key=str.casefold)


def filter_scripts(chosen: ScriptFilter) -> QuerySet[Any]:
    """Return the scripts of a filter, of those that were not deleted."""
    rows = Script.objects.present()
    if chosen.folder:
        rows = rows.filter(folders.within(chosen.folder, field="folder__path"))
    if chosen.words:
        in_name = Q(name__icontains=chosen.words)
        in_slug = Q(slug__icontains=chosen.words)
        rows = rows.filter(in_name | in_slug)
    match chosen.state:
        case "enabled":
            return rows.filter(enabled=True)
        case "disabled":
            return rows.filter(enabled=False)
        case "failing":
            return recent_runs.failing(rows)
        case "broken":
            return rows.filter(environments.in_trouble())
    return rows


def _with_schedules_and_last_run(keys: Sequence[int], user: User | None) -> QuerySet[Any]:
    scripts = Script.objects.filter(pk__in=keys).defer(*lookup.LONG_TEXTS)
    rows: QuerySet[Any] = outlook.with_alarms(scripts).annotate(
        last_run_id=_newest_run(), is_starred=stars.has_star(user)
    )
    return rows.select_related("folder", "environment", "wanted_environment")


def _newest_run() -> Subquery:
    of_script = Run.objects.scripts().filter(script=OuterRef("pk"))
    return Subquery(of_script.newest_first().values("pk")[:1])
