"""Retention: finished runs are deleted by age, number a script and megabytes in all (`retention_rules`)."""

import logging
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Count, Max, OuterRef, QuerySet, Subquery, Sum
from django_q.models import Failure

from runs_app import launcher_client, run_folder, states
from runs_app.figures import counting
from runs_app.history import retention_rules
from runs_app.history.history import BAD
from runs_app.history.retention_rules import RetentionChange, RetentionLimits, Rules
from runs_app.models import FailureGroup, Run, RunQuerySet
from runs_app.states import Kind
from scripts_app.models import Script
from tempo_site.lib import paths

logger = logging.getLogger(__name__)

BATCH = 50  # of a transaction, for whose end a due moment waits
# A turn is over long before django-q2 takes its task for lost and hands it to the other worker as well.
MAX_A_TURN = 5000
TURN_S = 20.0
ENDS = (
    "first_run",
    "last_run",
    "first_young_run",
    "run_beyond",
)  # of the finished runs of a script


@dataclass(frozen=True, kw_only=True)
class Going:
    """What would be deleted now."""

    runs: int
    log_bytes: int


class Group(NamedTuple):
    """Runs whose number is limited together, of a script or of one kind without a script, where some have to go."""

    kind: str
    script_id: int | None
    boundary: int  # the id of the oldest run that is within all limits
    last_failure: int = 0

    @property
    def going(self) -> RunQuerySet:
        # The last failure stays, and the first of each group of failures.
        groups = FailureGroup.objects.filter(script=self.script_id)
        kept = [self.last_failure, *groups.values_list("first_run", flat=True)]
        rows = _final(kind=self.kind, script=self.script_id).filter(pk__lt=self.boundary)
        return rows.exclude(pk__in=kept)


def prune(*, now: datetime) -> int:
    """Delete the runs that are beyond a limit, as many as one turn takes, and return how many went.

    The last failure of each script stays, and the first run of each group of failures.
    """
    until = time.monotonic() + TURN_S
    counting.count_all()  # what goes stays in the figures
    rules = retention_rules.rules()
    count = 0
    for group in _groups(rules, now):
        count += _delete(group.going, most=MAX_A_TURN - count, until=until)
    count += _delete_beyond_size(rules.total_mb, most=MAX_A_TURN - count, until=until)
    _remove_empty_months(paths.month(now))
    # django-q2 never prunes its failures.
    oldest = now - timedelta(days=rules.default.days)
    Failure.objects.filter(stopped__lt=oldest).delete()
    if count:
        logger.info("retention removed runs=%s", count)
    return count


def preview(*, now: datetime, change: RetentionChange | None = None) -> Going:
    """Return what retention would delete now, with the limits as they are stored or with a change."""
    rules = retention_rules.rules(change)
    runs = size = 0
    first_kept: dict[tuple[str, int | None], int] = {}
    for group in _groups(rules, now):
        sums = group.going.aggregate(runs=Count("pk"), size=Sum("log_bytes", default=0))
        runs, size = runs + sums["runs"], size + sums["size"]
        first_kept[group.kind, group.script_id] = group.boundary
    excess = counting.kept_bytes() + _own_bytes() - rules.total_mb * 2**20 - size
    for run in _by_size(excess, first_kept):
        runs, size = runs + 1, size + run.log_bytes
    return Going(runs=runs, log_bytes=size)


def _final(**fields: Any) -> RunQuerySet:
    # NOT IN, so that the database walks the runs of the script in their order and no index by status.
    return Run.objects.filter(**fields).exclude(status__in=states.ACTIVE)


def _groups(rules: Rules, now: datetime) -> list[Group]:
    """Return the groups of which something has to go; as many queries as there are different limits."""
    groups = [*_groups_of_scripts(rules, now), *_groups_of_kinds(rules, now)]
    if not groups:
        return []
    last = _last_failures()
    return [
        group._replace(last_failure=last.get((group.kind, group.script_id), 0)) for group in groups
    ]


def _groups_of_scripts(rules: Rules, now: datetime) -> Iterator[Group]:
    scripts_of: dict[RetentionLimits, list[int]] = {}
    for script_id, limits in rules.of_script.items():
        scripts_of.setdefault(limits, []).append(script_id)
    for limits, script_ids in scripts_of.items():
        scripts = Script.objects.filter(pk__in=script_ids)
        for script_id, *ends in _with_ends(scripts, limits, now).values_list("pk", *ENDS):
            boundary = _boundary(ends, _final(kind=Kind.SCRIPT, script=script_id), limits)
            if boundary:
                yield Group(Kind.SCRIPT, script_id, boundary)


def _groups_of_kinds(rules: Rules, now: datetime) -> Iterator[Group]:
    # Builds count together, as the runs of one script do.
    for kind in Kind:
        runs = _final(kind=kind, script=None)
        ends = [_first_id(rows) for rows in _edges(runs, runs, rules.default, now)]
        boundary = _boundary(ends, runs, rules.default)
        if boundary:
            yield Group(kind, None, boundary)


def _with_ends(scripts: QuerySet[Script], limits: RetentionLimits, now: datetime) -> QuerySet[Any]:
    finished = _final(kind=Kind.SCRIPT, script=OuterRef("pk"))
    every = Run.objects.filter(script=OuterRef("pk"))
    found = zip(ENDS, _edges(finished, every, limits, now), strict=True)
    return scripts.annotate(**{name: Subquery(rows.values("pk")[:1]) for name, rows in found})


def _edges(
    finished: RunQuerySet, every: RunQuerySet, limits: RetentionLimits, now: datetime
) -> list[RunQuerySet]:
    # In the order of ENDS. Ids grow with time, so each limit ends at a run, and each look reads only what it finds.
    # `every` has runs under way as well: where even those are not too many, the index alone says so.
    oldest = now - timedelta(days=limits.days)
    return [
        finished.order_by("pk"),
        finished.order_by("-pk"),
        finished.filter(created_at__gte=oldest).order_by("pk"),
        every.order_by("-pk")[limits.runs : limits.runs + 1],
    ]


def _first_id(rows: RunQuerySet) -> int | None:
    return rows.values_list("pk", flat=True).first()


def _boundary(ends: Sequence[int | None], runs: RunQuerySet, limits: RetentionLimits) -> int:
    """Return the id of the oldest run that is within all limits; 0 where all are."""
    first, last, first_young, crowded = ends
    if first is None or last is None:
        return 0
    boundary = first_young or last + 1
    if crowded is not None:
        beyond = _first_id(runs.order_by("-pk")[limits.runs : limits.runs + 1])
        boundary = max(boundary, (beyond or 0) + 1)
    if limits.mb is not None:
        boundary = max(boundary, _boundary_of_size(runs, limits.mb * 2**20))
    return boundary if boundary > first else 0


def _boundary_of_size(runs: RunQuerySet, room: int) -> int:
    for pk, log_bytes in runs.order_by("-pk").values_list("pk", "log_bytes").iterator():
        room -= log_bytes
        if room < 0:
            return pk + 1
    return 0


def _last_failures() -> dict[tuple[str, int | None], int]:
    # All in one walk over the failures: a script that never failed would be walked to its first run.
    rows = Run.objects.filter(status__in=BAD).order_by().values_list("kind", "script")
    return {(kind, script): last for kind, script, last in rows.annotate(last=Max("pk"))}


def _own_bytes() -> int:
    rows = Run.objects.own_programs().aggregate(total=Sum("log_bytes", default=0))
    return int(rows["total"])


def _excess_bytes(total_mb: int) -> int:
    total = Run.objects.aggregate(total=Sum("log_bytes"))["total"] or 0
    return total - total_mb * 2**20


def _by_size(
    excess: int, first_kept: Mapping[tuple[str, int | None], int] | None = None
) -> Iterator[Run]:
    """Yield the oldest runs with logs, without those below `first_kept`, until `excess` bytes are reached."""
    if excess <= 0:
        return
    final = Run.objects.filter(status__in=states.FINAL, log_bytes__gt=0)
    kept = [*_last_failures().values(), *FailureGroup.objects.values_list("first_run", flat=True)]
    rows = final.exclude(pk__in=kept).order_by("pk").only(*counting.COUNTED_COLUMNS)
    for run in rows.iterator(chunk_size=BATCH):
        if first_kept and run.pk < first_kept.get((run.kind, run.script_id), 0):
            continue
        yield run
        excess -= run.log_bytes
        if excess <= 0:
            return


def _delete_beyond_size(total_mb: int, *, most: int, until: float) -> int:
    # The oldest logs go until all logs together are below the limit.
    if most <= 0:
        return 0
    to_delete = [run.pk for run in islice(_by_size(_excess_bytes(total_mb)), most)]
    count = 0
    for start in range(0, len(to_delete), BATCH):
        batch = Run.objects.filter(pk__in=to_delete[start : start + BATCH])
        count += _delete(batch, most=BATCH, until=until)
    return count


def _delete(rows: RunQuerySet, *, most: int, until: float) -> int:
    # Folder first: a row without a folder is harmless, a folder without a row would stay for ever.
    count = 0
    stuck = set[int]()
    while count < most and time.monotonic() < until:
        left = rows.exclude(pk__in=stuck).order_by("pk")
        size = min(BATCH, most - count)
        batch = list(left.only(*counting.COUNTED_COLUMNS, "folder")[:size])
        if not batch:
            break
        removed = []
        for run in batch:
            if _is_removed(run.pk, run.folder):
                removed.append(run)
            else:
                stuck.add(run.pk)
        _delete_rows(removed)
        count += len(removed)
    return count


def _delete_rows(removed: list[Run]) -> None:
    with transaction.atomic():
        rows = Run.objects.filter(pk__in=[run.pk for run in removed])
        # On a disk so slow that the other worker has the task as well, it may have been faster.
        left = set(rows.values_list("pk", flat=True))
        rows.delete()
        counting.forget(run for run in removed if run.pk in left)


def _is_removed(pk: int, folder: str) -> bool:
    # A folder that resists keeps its row, to be tried again, and must not end retention for all.
    if not folder:
        return True
    try:
        _remove_folder(folder)
    except (OSError, launcher_client.LauncherError):
        logger.warning("the folder %s of run %s could not be removed", folder, pk, exc_info=True)
        return False
    return True


def _remove_folder(name: str) -> None:
    path = paths.run_folder(name)
    if run_folder.is_replaced(path):
        path.unlink()  # a link, a FIFO, a file: what it leads to is not ours
        return
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        return
    except (OSError, RecursionError):
        # What a script made of its folder is left to the launcher, which copes with any owner and depth.
        launcher_client.launcher.remove(name, "all")


def _remove_empty_months(current: str) -> None:
    # Only months that are over: in the current month a run's folder may be about to be made.
    for month in paths.runs().iterdir():
        if month.name < current:
            with suppress(OSError):  # not empty, or nothing of ours
                month.rmdir()
