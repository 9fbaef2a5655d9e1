"""What would become of each item of an import, beside the scripts that are here."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from scripts_app.exchange import exporting, toml_rows
from scripts_app.exchange.items import Item, Row
from scripts_app.exchange.parts import parts
from scripts_app.files import store
from scripts_app.models import Script
from scripts_app.scripts import SET_BY_STAFF
from scripts_app.validation import ScriptError

HISTORY_STAYS = "its older versions are not taken over: the script here keeps its own"
MAX_NAMED = 5  # of the files that differ


class ItemChoice(StrEnum):
    """What to do with an item whose script is here already and differs."""

    KEEP = "keep"
    REPLACE = "replace"
    COPY = "copy"


class ItemAction(StrEnum):
    CREATE = "create"
    SAME = "same"
    KEEP = "keep"
    REPLACE = "replace"
    COPY = "copy"
    REFUSE = "refuse"


ACTING = (ItemAction.CREATE, ItemAction.REPLACE, ItemAction.COPY)


@dataclass(frozen=True, kw_only=True)
class Planned:
    """An item and what is to be done with it. `reason` says why, `notes` what is not taken over."""

    item: Item
    action: ItemAction
    reason: str = ""
    existing: Script | None = None
    notes: Sequence[str] = ()

    @property
    def is_conflict(self) -> bool:
        return self.existing is not None and self.action not in (ItemAction.SAME, ItemAction.REFUSE)


def plan(
    items: Sequence[Item],
    *,
    on_conflict: ItemChoice = ItemChoice.KEEP,
    choices: Mapping[str, ItemChoice] | None = None,
    with_switches: bool = False,
) -> list[Planned]:
    """Return what becomes of each item; `choices` by slug go before `on_conflict`.

    `with_switches`: schedules are on and off as in the import, and that is compared as well.
    """
    here = _present(items)
    known = exporting.items_of(list(here.values()))
    planned = []
    taken: set[str] = set()
    for item in items:
        script = here.get(item.slug)
        choice = (choices or {}).get(item.slug, on_conflict)
        if item.problem or item.slug in taken:
            problem = item.problem or f"there is a second `{item.slug}` in it"
            planned.append(Planned(item=item, action=ItemAction.REFUSE, reason=problem))
            continue
        taken.add(item.slug)
        if script is None:
            planned.append(_new(item))
        else:
            other = known[script.pk]
            found = list(differences(item, other, script, with_switches=with_switches))
            planned.append(_present_one(item, script, found, choice))
    return planned


def _present(items: Sequence[Item]) -> dict[str, Script]:
    slugs = [item.slug for item in items]
    rows = Script.objects.present().filter(slug__in=slugs)
    related = rows.select_related("folder", "version__environment", "wanted_environment")
    return {script.slug: script for script in related}


def _new(item: Item) -> Planned:
    reason = "new"
    if item.versions:
        reason = "new, with its older versions"
    if Script.objects.filter(slug=item.slug).exists():
        reason = "new, under another name in addresses: a deleted script has this one"
    return Planned(item=item, action=ItemAction.CREATE, reason=reason, notes=notes_on(item))


def _present_one(item: Item, script: Script, found: list[str], choice: ItemChoice) -> Planned:
    if not found:
        reason = "the script here is the same"
        return Planned(item=item, action=ItemAction.SAME, reason=reason, existing=script)
    words = ", ".join(found)
    reason = {
        ItemChoice.KEEP: f"the script here stays as it is; other: {words}",
        ItemChoice.REPLACE: f"takes the place of the script here; other: {words}",
        ItemChoice.COPY: f"made beside the script here; other: {words}",
    }[choice]
    action = ItemAction(choice.value)
    notes = [] if choice == ItemChoice.KEEP else notes_on(item)
    if choice == ItemChoice.REPLACE and item.versions:
        notes.append(HISTORY_STAYS)
    return Planned(item=item, action=action, reason=reason, existing=script, notes=notes)


def notes_on(item: Item) -> list[str]:
    """Return sentences about what is not taken over, and what has to be done by hand."""
    notes = list(item.notes)
    notes += [
        f"`{words}` is not taken over: staff switches it on"
        for name, words in SET_BY_STAFF.items()
        if item.for_staff.get(name)
    ]
    secrets = [str(row.get("name"))[:100] for row in item.variables if row.get("secret")]
    notes += [f"the secret `{name}` comes without its value: set it" for name in secrets]
    for name, rows in item.parts.items():
        notes += parts[name].notes(rows)
    return notes


def differences(item: Item, other: Item, script: Script, *, with_switches: bool) -> Iterator[str]:
    """Yield what differs between an item and the item of the script that is here, in words."""
    if item.code != other.code:
        yield "code"
    if item.requirements not in (None, other.requirements):
        yield "requirements"
    for name in sorted({*item.settings, *other.settings}):
        if name in item.settings and item.settings[name] != other.settings.get(
            name, _empty(item, name)
        ):
            yield f"`{name}`"
    if item.schedules is not None and not toml_rows.are_same_schedules(
        item.schedules, other.schedules or (), with_switches=with_switches
    ):
        yield "schedules"
    if not _has_variables(other.variables, item.variables):
        yield "variables"
    for name, rows in item.parts.items():
        if list(rows) != list(other.parts.get(name, ())) and not parts[name].is_for_staff:
            yield name
    changed = [path for path, place in item.files.items() if not _is_same_file(script, path, place)]
    yield from (f"`files/{path}`" for path in changed[:MAX_NAMED])
    if len(changed) > MAX_NAMED:
        yield f"{len(changed) - MAX_NAMED} more files"


# What an export leaves out as empty is the same as what says so.
def _empty(item: Item, name: str) -> object:
    return type(item.settings[name])()


# Those here that the import does not name stay: they are no difference.
def _has_variables(here: Sequence[Row], wanted: Sequence[Row]) -> bool:
    return all(row in here for row in wanted)


def _is_same_file(script: Script, path: str, place: Path) -> bool:
    try:
        with store.opened(script, path) as file, place.open("rb") as wanted:
            return _digest(file) == _digest(wanted)
    except ScriptError:
        return False


def _digest(file: BinaryIO) -> bytes:
    found = hashlib.sha256()
    while data := file.read(exporting.CHUNK):
        found.update(data)
    return found.digest()
