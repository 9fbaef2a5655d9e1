"""Items of an import, checked before the transaction that stores them: whoever else has something to store waits in it.

Nothing is stored here, and everything that could be refused is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User

from scripts_app import limits, scripts, validation
from scripts_app.environments.environments import EnvironmentSpec
from scripts_app.exchange import toml_rows, version_files
from scripts_app.exchange.items import Item
from scripts_app.exchange.parts import parts
from scripts_app.exchange.preview import ItemAction, Planned
from scripts_app.files import store
from scripts_app.models import Schedule, Script, Variable
from scripts_app.schedules import schedules
from scripts_app.scripts import TextChange
from scripts_app.validation import ScriptError
from scripts_app.variables import variables
from scripts_app.versions import older, versions
from scripts_app.versions.versions import Content
from tempo_site.audit import trail

REPLACED = "Replaced by an import"


@dataclass(kw_only=True)
class Import:
    """An import under way: who does it, when, and whether schedules are switched on as they were."""

    by: User | None
    now: datetime
    switch_on: bool = False
    is_unplaced: bool = False  # some of the files, when all is stored

    @property
    def author(self) -> str:
        return trail.current_actor().name if self.by is None else self.by.get_username()


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """An item that may be stored as it is: as a new script, or in place of `existing`.

    `slug` is taken where it is free; "": one is made of the name.
    """

    item: Item
    script: Script
    slug: str
    folder: str
    content: Content
    schedules: Sequence[Schedule] | None  # None: those that are here stay
    variables: Sequence[Variable]
    existing: Script | None = None
    text: TextChange | None = None  # of the existing one

    @property
    def spec(self) -> EnvironmentSpec:
        return self.content.environment_spec


def contents(planned: Sequence[Planned]) -> list[Content | ScriptError]:
    """Return the text of each as a version has it, or why there can be none. Starts processes."""
    return versions.check_all(_text_of(each) for each in planned)


def prepare(planned: Planned, content: Content, act: Import) -> Prepared:
    """Return what may be stored of an item. Raise ScriptError, TimingError, and what parts refuse with."""
    item, existing = planned.item, replaced(planned)
    values = settings_of(item)
    folder = validation.folder_path(values.pop("folder", ""))
    if planned.action == ItemAction.COPY:
        values["name"] = scripts.name_of_copy(item.name)
    script = scripts.unsaved(by=act.by, **values)
    for name, rows in item.parts.items():
        parts[name].check(rows)
    if existing is None:
        older.check(version_files.history(item.versions, now=act.now))
    else:
        for path in item.files:
            store.refuse_folder(existing, path)
    return Prepared(
        item=item,
        script=script,
        slug="" if planned.action == ItemAction.COPY else item.slug,
        folder=folder,
        content=content,
        schedules=None
        if _keeps_schedules(item, existing, act)
        else _schedules(script, content, item, act),
        variables=_variables(item, act),
        existing=existing,
        text=None if existing is None else _text_change(existing, content, item, act),
    )


def replaced(planned: Planned) -> Script | None:
    """Return the script that an item is stored in place of."""
    return planned.existing if planned.action == ItemAction.REPLACE else None


def settings_of(item: Item) -> dict[str, Any]:
    """Return the settings of a script, numbers within this server's limits."""
    values = {name: value for name, value in item.settings.items() if name != "python_version"}
    for name, limit in limits.LIMITS.items():
        if type(values.get(name)) is int:
            values[name] = limit.within(values[name])
    return values


def _text_of(planned: Planned) -> dict[str, str]:
    existing = replaced(planned)
    if existing is None or existing.version is None:
        return planned.item.whole_text
    return versions.fields_of(existing.version) | planned.item.text


def _text_change(script: Script, content: Content, item: Item, act: Import) -> TextChange | None:
    if script.version and versions.fields_of(script.version) == content.fields:
        return None
    return TextChange(
        script, item.text, author=act.by, based_on=None, note=REPLACED, content=content
    )


# Schedules that say the same keep their rows, and with them their next due moments.
def _keeps_schedules(item: Item, existing: Script | None, act: Import) -> bool:
    if existing is None or item.schedules is None:
        return item.schedules is None
    here = toml_rows.schedules_of([existing.pk]).get(existing.pk, [])
    return toml_rows.are_same_schedules(here, item.schedules, with_switches=act.switch_on)


def _schedules(script: Script, content: Content, item: Item, act: Import) -> list[Schedule]:
    # Inputs are checked by what the code declares. The version is stored behind the script.
    script.version = versions.unsaved(script, content.row, number=1, author=act.by)
    rows = []
    for row in item.schedules or ():
        schedule = toml_rows.schedule_of(row)
        schedule.script = script
        schedule.enabled = schedule.enabled and act.switch_on
        schedules.check_new(schedule, now=act.now)
        rows.append(schedule)
    script.version = None
    return rows


# Of two of the same name the last one counts.
def _variables(item: Item, act: Import) -> list[Variable]:
    rows: dict[str, Variable] = {}
    for row in item.variables:
        name = row.get("name")
        value = None if row.get("secret") else row.get("value", "")
        others = [other for other in rows.values() if other.name != name]
        variable = variables.unsaved(name, value, others=others, by=act.author)
        rows[variable.name] = variable
    return list(rows.values())
