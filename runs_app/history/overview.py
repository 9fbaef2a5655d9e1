"""The list of all scripts: which of them are asked for, when each starts next, and how its last runs went."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.contrib.auth.models import User
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


_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class ScriptFilter:
    """Which scripts a list shows; "" filters nothing, and so does a state that STATES does not know."""

    folder: str = ""
    words: str = ""
    state: str = ""
    tag: str = ""
    sort: str = ""  # a key of SORTS; "": by folder and name
    user: User | None = None  # whose stars come first

    @property
    def is_narrow(self) -> bool:
        return bool(self.folder or self.words or self.state or self.tag)


class ScriptRow(NamedTuple):
    """A script with `next_at`, `when` and `is_starred`, its newest run and the strip of its last ones."""

    script: Any
    last_run: Run | None
    strip: Strip


def _by_name(row: ScriptRow) -> str:
    name: str = row.script.name
    return name.casefold()


def _by_next_start(row: ScriptRow) -> datetime:
    return row.script.next_at or _NEVER


def _by_last_run(row: ScriptRow) -> int:
    return -(row.script.last_run_id or 0)


def _by_duration(row: ScriptRow) -> float:
    return -(row.strip.median_s or 0)


SORTS: dict[str, Callable[[ScriptRow], Any]] = {
    "name": _by_name,
    "next": _by_next_start,
    "last": _by_last_run,
    "length": _by_duration,
}


def script_rows(chosen: ScriptFilter, *, now: datetime) -> list[ScriptRow]:
    """Return the scripts of a filter by folder and name, with as many queries for a thousand as for one."""
    scripts = list(_with_schedules_and_last_run(filter_scripts(chosen), chosen.user))
    if chosen.tag:  # a list of texts: SQLite cannot look into it by itself
        scripts = [script for script in scripts if chosen.tag in script.tags]
    outlook.set_next_starts(scripts, now)
    outlook.set_rhythms(scripts)
    strips = recent_runs.recent_runs_of(script.pk for script in scripts)
    newest = [script.last_run_id for script in scripts if script.last_run_id]
    last_runs = Run.objects.only("status", "started_at", "created_at").in_bulk(newest)
    rows = [
        ScriptRow(script, last_runs.get(script.last_run_id), strips.get(script.pk, Strip()))
        for script in scripts
    ]
    if chosen.sort in SORTS:
        rows.sort(key=SORTS[chosen.sort])
    return sorted(rows, key=_has_no_star)


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


def _has_no_star(row: ScriptRow) -> bool:
    return not row.script.is_starred


def _with_schedules_and_last_run(rows: QuerySet[Any], user: User | None) -> QuerySet[Any]:
    of_script = Run.objects.scripts().filter(script=OuterRef("pk"))
    newest = of_script.newest_first().values("pk")[:1]
    related = rows.select_related("folder", "environment", "wanted_environment")
    annotated = outlook.with_alarms(related.defer(*lookup.LONG_TEXTS))
    rows = annotated.annotate(last_run_id=Subquery(newest), is_starred=stars.has_star(user))
    return rows.order_by("folder__path", "name", "pk")
