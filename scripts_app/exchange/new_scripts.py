"""New scripts of an import, stored together in few statements: a run that is due waits as long."""

import itertools
from collections.abc import Iterator, Mapping, Sequence

from django.db import transaction
from django.db.models import OuterRef, Subquery

from scripts_app import folders, slugs
from scripts_app.environments import environments
from scripts_app.environments.environments import EnvironmentSpec
from scripts_app.exchange import locking, version_files
from scripts_app.exchange.preparing import Import, Prepared
from scripts_app.models import Environment, Script, Version
from scripts_app.schedules import schedules
from scripts_app.variables import variables
from scripts_app.versions import older, versions, working_copy
from scripts_app.versions.older import History
from tempo_site.audit import trail


def store(news: Sequence[Prepared], act: Import) -> list[Script]:
    """Store scripts that were prepared, in the transaction of the caller."""
    rows = environments.rows_for_new(_locks(news))
    _give_folders(news)
    _give_slugs(news)
    for new in news:
        environment = rows[new.spec]
        new.script.wanted_environment = environment
        new.script.environment = environment if environment.is_ready else None
        new.script.copies = working_copy.digests_of(new.content.fields)
        for variable in new.variables:
            variable.script = new.script
    made = Script.objects.bulk_create(new.script for new in news)
    trail.record_all("created", made)
    _store_versions(news, rows, act)
    schedules.create_all([row for new in news for row in new.schedules or ()], now=act.now)
    variables.create_all([row for new in news for row in new.variables])
    keys = [script.pk for script in made]
    transaction.on_commit(lambda: versions.write_copies(keys), robust=True)
    return made


# The first script with an environment gives it its lock.
def _locks(news: Sequence[Prepared]) -> dict[EnvironmentSpec, str]:
    found: dict[EnvironmentSpec, str] = {}
    for new in news:
        if new.spec not in found:
            is_good = new.item.lock and locking.is_good(new.item, environments.unsaved(new.spec))
            found[new.spec] = new.item.lock if is_good else ""
    return found


def _give_folders(news: Sequence[Prepared]) -> None:
    rows = {path: folders.ensure(path) for path in sorted({new.folder for new in news})}
    for new in news:
        new.script.folder = rows[new.folder]


def _give_slugs(news: Sequence[Prepared]) -> None:
    taken = set(Script.objects.order_by().values_list("slug", flat=True))
    for new in news:
        own = [new.slug] if new.slug and new.slug not in taken else []
        free = itertools.chain(own, slugs.free_among(new.script.name, taken))
        new.script.slug = next(free)
        taken.add(new.script.slug)


# A history's last version is the current one where it says the same; else the text becomes the next one.
def _store_versions(
    news: Sequence[Prepared], rows: Mapping[EnvironmentSpec, Environment], act: Import
) -> None:
    stored = older.store_all(_histories(news, act))
    made, known = [], []
    for new in news:
        history = stored.get(new.script.pk, older.StoredHistory())
        if history.current is None:
            number = history.newest + 1
            version = versions.unsaved(new.script, new.content.row, number=number, author=act.by)
            made.append(version)
        else:
            version = Version(pk=history.current, syntax_error=new.content.syntax_error)
            known.append(version)
        version.environment = rows[new.spec]
    Version.objects.bulk_create(made)
    Version.objects.bulk_update(known, ["syntax_error", "environment"])
    finished = Version.objects.filter(script=OuterRef("pk"), is_draft=False)
    last = finished.order_by("-number").values("pk")[:1]
    of_import = Script.objects.filter(pk__in=[new.script.pk for new in news])
    of_import.update(version=Subquery(last))


def _histories(news: Sequence[Prepared], act: Import) -> Iterator[History]:
    for new in news:
        history = version_files.history(new.item.versions, now=act.now)
        yield History(script=new.script, text=new.content.fields, versions=history)
