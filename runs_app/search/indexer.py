"""Fills the index: runs that have ended, a batch at a time; new ones first, then what has to be indexed anew."""

import logging
import sqlite3
from collections import defaultdict
from collections.abc import Container, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from django.db.models import Max

from runs_app import states
from runs_app.launcher.output.record_format import LOG
from runs_app.models import Run, RunQuerySet
from runs_app.search import coverage, log_texts, month_index, packs
from runs_app.search.coverage import Coverage
from runs_app.search.month_index import IndexedRun
from tempo_site.lib import paths

logger = logging.getLogger(__name__)

BATCH = 100  # runs
BATCH_BYTES = 2 * 2**20


class _Unusable(Exception):
    def __init__(self, month: str, why: str) -> None:
        super().__init__(why)
        self.month = month


class _Row(NamedTuple):
    pk: int
    folder: str
    status: str
    log_bytes: int


def start() -> None:
    """Begin with what is stored. After a restart of the machine, what was not yet on the disk is made anew."""
    paths.make_closed(paths.search())
    stored = coverage.load()
    newest = Run.objects.aggregate(newest=Max("pk"))["newest"] or 0
    if stored is None or stored.high > newest:  # or another database, restored from a backup
        _remove_all()
        coverage.save(_from_the_beginning())
        return
    if stored.boot != coverage.boot_id():
        for month in stored.unsaved:
            month_index.remove(month)
        stored = replace(stored, unsaved=frozenset(), boot=coverage.boot_id())
        coverage.save(stored)
    if stored.months - frozenset(month_index.months()):
        coverage.save(stored.again())


def stop() -> None:
    """Bring the files to the disk, so that the next start need not make them anew."""
    stored = coverage.load()
    if stored is None:
        return
    unsaved = set()
    for month in stored.unsaved:
        try:
            with month_index.writing(month, is_new=False) as index:
                index.save()
        except sqlite3.OperationalError as error:  # a full disk, a file that is gone
            logger.warning("the index of %s was not saved: %s", month, error)
            unsaved.add(month)
        except sqlite3.DatabaseError as error:
            logger.warning("the index of %s is made anew: %s", month, error)
            month_index.remove(month)
    coverage.save(replace(stored, unsaved=frozenset(unsaved)))


def step(*, gathers: bool = False) -> bool:
    """Index a batch; return whether there may be more. Raises OSError, sqlite3.OperationalError.

    With `gathers` a few small logs are left until they are worth a pack; a search reads them meanwhile.
    """
    stored = _stored()
    for look in (_new, _ended, _older):
        try:
            following = look(stored, gathers)
        except _Unusable as damage:
            logger.warning("the index of %s is made anew: %s", damage.month, damage)
            month_index.remove(damage.month)
            following = stored.again()
        if following is not None:
            coverage.save(following)
            return True
    return False


def drop_old_months() -> None:
    """Remove the files of months of which no run is left."""
    stored = coverage.load()
    for month in month_index.months():
        if not (paths.runs() / month).is_dir():
            month_index.remove(month)
            if stored is not None:
                stored = replace(stored, months=stored.months - {month})
                coverage.save(stored)


def _stored() -> Coverage:
    stored = coverage.load()
    if stored is None:
        logger.warning("the index of the search was gone and is made anew")
        return _from_the_beginning()
    if stored.months - frozenset(month_index.months()):
        logger.warning("files of the search's index were gone and are made anew")
        return stored.again()
    return stored


def _from_the_beginning() -> Coverage:
    newest = Run.objects.aggregate(newest=Max("pk"))["newest"] or 0
    active = Run.objects.active().values_list("pk", flat=True)
    return Coverage(low=newest, high=newest, open=frozenset(active), boot=coverage.boot_id())


def _new(stored: Coverage, gathers: bool) -> Coverage | None:
    rows = _batch(Run.objects.filter(pk__gt=stored.high).order_by("pk"))
    if not rows or (gathers and not _are_worth_a_pack(rows)):
        return None
    return replace(_indexed(rows, stored), high=rows[-1].pk)


def _ended(stored: Coverage, gathers: bool) -> Coverage | None:
    if not stored.open:
        return None
    active = Run.objects.active().filter(pk__lte=stored.high).values_list("pk", flat=True)
    ended = sorted(stored.open - frozenset(active))[:BATCH]
    if not ended:
        return None
    rows = _batch(Run.objects.filter(pk__in=ended).order_by("pk"))
    if gathers and len(ended) < BATCH and not _are_worth_a_pack(rows):
        return None
    last = rows[-1].pk if rows else ended[-1]
    done = [pk for pk in ended if pk <= last]  # deleted ones too
    return replace(_indexed(rows, stored), open=stored.open.difference(done))


def _older(stored: Coverage, _gathers: bool) -> Coverage | None:
    if stored.is_complete:
        return None
    rows = _batch(Run.objects.filter(pk__lte=stored.low).order_by("-pk"))
    if not rows:
        return replace(stored, low=0)
    return replace(_indexed(rows, stored), low=rows[-1].pk - 1)


def _batch(runs: RunQuerySet) -> list[_Row]:
    rows = []
    batch_bytes = 0
    for values in runs.values_list("pk", "folder", "status", "log_bytes")[:BATCH]:
        row = _Row(*values)
        rows.append(row)
        batch_bytes += row.log_bytes
        if batch_bytes > BATCH_BYTES:
            break
    return rows


def _are_worth_a_pack(rows: list[_Row]) -> bool:
    return len(rows) >= BATCH or sum(row.log_bytes for row in rows) >= packs.PACK_LENGTH


def _indexed(rows: list[_Row], stored: Coverage) -> Coverage:
    # Runs that have not ended are remembered as open ones.
    by_month: dict[str, list[_Row]] = defaultdict(list)
    still_open = set(stored.open)
    for row in rows:
        if row.status not in states.FINAL:
            still_open.add(row.pk)
        elif row.folder:
            by_month[row.folder.partition("/")[0]].append(row)
    for month, ended in by_month.items():
        _add(month, ended, is_new=month not in stored.months)
        stored = stored.with_month(month)
    return replace(stored, open=frozenset(still_open))


def _add(month: str, rows: list[_Row], *, is_new: bool) -> None:
    try:
        with month_index.writing(month, is_new=is_new) as index:
            held = index.holds([row.pk for row in rows])
            if any(held.get(row.pk, row.folder) != row.folder for row in rows):
                raise _Unusable(month, "another database was put in its place")
            index.add(_to_index(rows, held))
    except sqlite3.OperationalError:
        raise  # a full disk, a lock: it is tried again
    except sqlite3.DatabaseError as error:
        raise _Unusable(month, str(error)) from error


def _to_index(rows: list[_Row], held: Container[int]) -> Iterator[IndexedRun]:
    for row in rows:
        path = paths.run_folder(row.folder) / LOG
        if row.pk in held:
            continue
        parts = _parts(path)
        if parts is not None:
            documents = _documents(path, parts)
            yield IndexedRun(run=row.pk, folder=row.folder, parts=parts, texts=documents)


def _parts(path: Path) -> list[tuple[int, int]] | None:
    """Return the parts of a log; None where there is no output."""
    try:
        return log_texts.plain_parts(path)
    except OSError:  # among them: retention was faster
        return None


def _documents(path: Path, parts: list[tuple[int, int]]) -> Iterator[str]:
    try:
        with log_texts.opened(path, parts) as log:
            together = log.count // month_index.MAX_PARTS + 1
            for first in range(0, log.count, together):
                positions = range(first, min(first + together, log.count))
                yield "\n".join([log.block(position).text for position in positions])
    except OSError as error:
        logger.warning("the log %s could not be indexed: %s", path, error)


def _remove_all() -> None:
    for month in month_index.months():
        month_index.remove(month)
