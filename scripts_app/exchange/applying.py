"""Making scripts of the items of an import: all of them, or none."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from django.db import IntegrityError, transaction

from scripts_app import bulk
from scripts_app.exchange import new_scripts, placing, preparing, replaced_scripts
from scripts_app.exchange.items import ExchangeError
from scripts_app.exchange.parts import parts
from scripts_app.exchange.preparing import Import, Prepared
from scripts_app.exchange.preview import ACTING, ItemAction, Planned
from scripts_app.exchange.staging import Staged
from scripts_app.models import Script, UnplacedFiles
from tempo_site.audit import trail

CHANGED = "Something that it needs was removed meanwhile\nhint: nothing was imported; try again"
UNPLACED = "Some of the files could not be put in place yet: see Tempo's log. They are when it starts again."


def try_out(planned: Sequence[Planned], act: Import) -> list[Planned]:
    """Return the plan with what would be refused, each with its reason; nothing is stored."""
    refused = {}
    for each, prepared in _prepared(planned, act):
        if isinstance(prepared, ValueError):
            refused[id(each)] = replace(each, action=ItemAction.REFUSE, reason=str(prepared))
    return [refused.get(id(each), each) for each in planned]


def apply(planned: Sequence[Planned], staged: Staged, act: Import) -> list[Script]:
    """Make the scripts of a plan, all or none, then put their files in place. Raise ExchangeError."""
    for each in planned:
        if each.action == ItemAction.REFUSE:
            raise _refusal(each, each.reason)
    checked: list[tuple[Planned, Prepared]] = []
    for each, prepared in _prepared(planned, act):
        if isinstance(prepared, ValueError):
            raise _refusal(each, str(prepared)) from prepared
        checked.append((each, prepared))
    try:
        made, row = _store(planned, checked, staged, act)
    except IntegrityError as error:
        raise ExchangeError(CHANGED) from error
    act.is_unplaced = not placing.finish(row)
    return made


def _slugs(planned: Sequence[Planned], action: ItemAction) -> list[str]:
    return [each.item.slug for each in planned if each.action == action]


# What is to be stored, each checked, or with the reason why it cannot be.
def _prepared(
    planned: Sequence[Planned], act: Import
) -> Iterator[tuple[Planned, Prepared | ValueError]]:
    acting = [each for each in planned if each.action in ACTING]
    for each, content in zip(acting, preparing.contents(acting), strict=True):
        if isinstance(content, ValueError):
            yield each, content
            continue
        try:
            yield each, preparing.prepare(each, content, act)
        except ValueError as refusal:
            yield each, refusal


def _store(
    planned: Sequence[Planned],
    checked: Sequence[tuple[Planned, Prepared]],
    staged: Staged,
    act: Import,
) -> tuple[list[Script], UnplacedFiles]:
    with transaction.atomic():
        stored = _store_scripts(checked, act)
        changes = {action.value: _slugs(planned, action) for action in ACTING}
        name = bulk.count_of_scripts(len(stored))
        trail.record("imported", kind="scripts", name=name, changes=changes)
        row = UnplacedFiles.objects.create(token=staged.token, files=_sources(stored, staged))
    return [script for script, _ in stored], row


def _store_scripts(
    checked: Sequence[tuple[Planned, Prepared]], act: Import
) -> list[tuple[Script, Prepared]]:
    news = [prepared for _, prepared in checked if prepared.existing is None]
    stored = list(zip(new_scripts.store(news, act), news, strict=True))
    for each, prepared in checked:
        if prepared.existing is not None:
            stored.append((_replace_or_refuse(each, prepared, act), prepared))
    for name, part in parts.items():
        rows = [
            (script, each.item.parts[name]) for script, each in stored if name in each.item.parts
        ]
        part.store(rows)
    return stored


# Something may have been changed since it was prepared.
def _replace_or_refuse(each: Planned, prepared: Prepared, act: Import) -> Script:
    try:
        return replaced_scripts.store(prepared, act)
    except ValueError as refusal:
        raise _refusal(each, str(refusal)) from refusal


def _refusal(each: Planned, reason: str) -> ExchangeError:
    sentence, _, hint = reason.partition("\nhint: ")
    hint = f"; {hint}" if hint else ""
    return ExchangeError(f"`{each.item.slug}`: {sentence}\nhint: nothing was imported{hint}")


def _sources(
    stored: Sequence[tuple[Script, Prepared]], staged: Staged
) -> list[tuple[int, str, str]]:
    return [
        (script.pk, str(place.relative_to(staged.folder)), path)
        for script, prepared in stored
        for path, place in prepared.item.files.items()
    ]
