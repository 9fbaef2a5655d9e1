"""Making scripts of the items of an import: all of them, or none."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from scripts_app import bulk, limits, scripts
from scripts_app.exchange import locking, placing, script_rows, version_files
from scripts_app.exchange.items import ExchangeError, Item
from scripts_app.exchange.parts import parts
from scripts_app.exchange.preview import ACTING, Action, Planned
from scripts_app.exchange.staging import Staged
from scripts_app.files import store
from scripts_app.models import Schedule, Script, UnplacedFiles
from scripts_app.schedules import schedules
from scripts_app.validation import MAX_NAME
from scripts_app.variables import variables
from scripts_app.versions import versions
from tempo_site.audit import trail

COPY = " (copy)"
UNPLACED = "Some of the files could not be put in place yet: see Tempo's log. They are when it starts again."


@dataclass(kw_only=True)
class Import:
    """One import under way: who does it, when, and whether schedules are switched on as they were."""

    by: User | None
    now: datetime
    switch_on: bool = False
    contents: dict[str, versions.Content] = field(default_factory=dict)
    files: list[tuple[int, Path, str]] = field(default_factory=list)
    is_unplaced: bool = False  # some of the files, when all is stored

    @property
    def author(self) -> str:
        return trail.current_actor().name if self.by is None else self.by.get_username()


def try_out(planned: Sequence[Planned], act: Import) -> list[Planned]:
    """Return the plan with what would be refused, each with its reason; nothing is stored."""
    _check_texts(planned, act)
    tried = [_tried(each, act) for each in planned]
    act.files.clear()
    return tried


def apply(planned: Sequence[Planned], staged: Staged, act: Import) -> list[Script]:
    """Make the scripts of a plan, all or none, then put their files in place. Raise ExchangeError."""
    _check_texts(planned, act)
    refused = [each for each in planned if each.action == Action.REFUSE]
    if refused:
        raise _refusal(refused[0], refused[0].reason)
    with transaction.atomic():
        made = []
        for each in planned:
            if each.action in ACTING:
                made.append(_make_or_refuse(each, act))
        changes = {action.value: _slugs(planned, action) for action in ACTING}
        trail.record(
            "imported", kind="scripts", name=bulk.count_of_scripts(len(made)), changes=changes
        )
        row = UnplacedFiles.objects.create(token=staged.token, files=_sources(act, staged))
    act.is_unplaced = not placing.finish(row)
    return made


def _slugs(planned: Sequence[Planned], action: Action) -> list[str]:
    return [each.item.slug for each in planned if each.action == action]


# Pythons are asked here, before the transaction.
def _check_texts(planned: Sequence[Planned], act: Import) -> None:
    for each in planned:
        if each.action in ACTING and each.item.slug not in act.contents:
            try:
                act.contents[each.item.slug] = versions.check(**each.item.whole_text)
            except ValueError:
                continue  # refused where it would be stored


# Each in a transaction of its own: whoever else has something to store need not wait for all of them.
def _tried(each: Planned, act: Import) -> Planned:
    if each.action not in ACTING:
        return each
    try:
        with transaction.atomic():
            _make(each, act)
            transaction.set_rollback(True)
    except ValueError as refusal:
        return replace(each, action=Action.REFUSE, reason=str(refusal))
    return each


def _make_or_refuse(each: Planned, act: Import) -> Script:
    try:
        return _make(each, act)
    except ValueError as refusal:
        raise _refusal(each, str(refusal)) from refusal


def _refusal(each: Planned, reason: str) -> ExchangeError:
    sentence, _, hint = reason.partition("\nhint: ")
    hint = f"; {hint}" if hint else ""
    return ExchangeError(f"`{each.item.slug}`: {sentence}\nhint: nothing was imported{hint}")


def _make(each: Planned, act: Import) -> Script:
    item = each.item
    is_new = each.action != Action.REPLACE or each.existing is None
    if each.existing is not None and not is_new:
        script = _replaced(each.existing, item, act)
        for path in item.files:
            store.refuse_folder(script, path)
    else:
        script = _created(each, act)
    _store_schedules(script, item, act, is_new=is_new)
    _store_variables(script, item, act)
    for name, rows in item.parts.items():
        parts[name].store(script, rows)
    act.files += [(script.pk, place, path) for path, place in item.files.items()]
    return script


def _created(each: Planned, act: Import) -> Script:
    item = each.item
    values = _values(item)
    is_copy = each.action == Action.COPY
    if is_copy:
        values["name"] = item.name[: MAX_NAME - len(COPY)] + COPY
    content = act.contents.get(item.slug) or versions.check(**item.whole_text)
    slug = "" if is_copy else item.slug
    history = version_files.history(item.versions, now=act.now)
    script = scripts.create(
        by=act.by, now=act.now, slug=slug, content=content, history=history, **values
    )
    if item.lock:
        script.refresh_from_db()
        locking.take_over(script, item)
    return script


def _replaced(script: Script, item: Item, act: Import) -> Script:
    changes: dict[str, Any] = {**_values(item), **item.text}
    return scripts.update(script, by=act.by, now=act.now, note="Replaced by an import", **changes)


def _values(item: Item) -> dict[str, Any]:
    values = {name: value for name, value in item.settings.items() if name != "python_version"}
    for name, limit in limits.LIMITS.items():
        if type(values.get(name)) is int:
            values[name] = limit.within(values[name])
    return values


# Schedules that say the same keep their rows, and with them their next due moments.
def _store_schedules(script: Script, item: Item, act: Import, *, is_new: bool) -> None:
    if item.schedules is None:
        return
    if not is_new:
        here = script_rows.schedules_of([script.pk]).get(script.pk, [])
        if script_rows.are_same_schedules(here, item.schedules, with_switches=act.switch_on):
            return
        for schedule in Schedule.objects.filter(script=script):
            schedules.delete(schedule)
    for row in item.schedules:
        schedule = script_rows.schedule_of(row)
        schedule.script = script
        schedule.enabled = schedule.enabled and act.switch_on
        schedules.save(schedule, now=act.now)


def _store_variables(script: Script, item: Item, act: Import) -> None:
    for row in item.variables:
        name = variables.checked_name(row.get("name"))
        if row.get("secret"):
            variables.reserve(script, name=name, by=act.author)
        else:
            value = variables.checked_value(row.get("value", ""))
            variables.save(script, name=name, value=value, is_secret=False, by=act.author)


def _sources(act: Import, staged: Staged) -> list[tuple[int, str, str]]:
    return [(key, str(place.relative_to(staged.folder)), path) for key, place, path in act.files]
