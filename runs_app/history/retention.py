"""Retention: finished runs are deleted by age, number a script and megabytes in all (`KEEP_*` in the settings)."""

import logging
import shutil
from contextlib import suppress
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Max, Sum
from django_q.models import Failure

from runs_app import launcher_client, run_folder, states
from runs_app.history.history import BAD
from runs_app.models import FailureGroup, Run, RunQuerySet
from tempo_site.lib import paths

logger = logging.getLogger(__name__)

BATCH = 200


def prune(*, now: datetime) -> int:
    """Delete the runs that are beyond a limit and return how many went.

    The last failure of each script stays, and the first run of each group of failures.
    """
    kept = [*_last_failures(), *FailureGroup.objects.values_list("first_run", flat=True)]
    count = _delete(_too_old(now).exclude(pk__in=kept))
    count += _delete_beyond_count(kept)
    count += _delete_beyond_size(kept)
    _remove_empty_months(paths.month(now))
    # django-q2 never prunes its failures.
    Failure.objects.filter(stopped__lt=_oldest(now)).delete()
    if count:
        logger.info("retention removed runs=%s", count)
    return count


def _oldest(now: datetime) -> datetime:
    return now - timedelta(days=settings.KEEP_DAYS)


def _too_old(now: datetime) -> RunQuerySet:
    return Run.objects.filter(status__in=states.FINAL, created_at__lt=_oldest(now))


def _last_failures() -> list[int]:
    rows = Run.objects.filter(status__in=BAD).values("kind", "script").annotate(last=Max("pk"))
    return [row["last"] for row in rows]


def _delete_beyond_count(kept: list[int]) -> int:
    # Builds count together, as the runs of one script do.
    count = 0
    for kind, script_id in Run.objects.order_by().values_list("kind", "script").distinct():
        rows = Run.objects.filter(kind=kind, script_id=script_id, status__in=states.FINAL)
        newest_first = rows.order_by("-pk").values_list("pk", flat=True)
        first_beyond = newest_first[settings.KEEP_RUNS :].first()
        if first_beyond:
            count += _delete(rows.filter(pk__lte=first_beyond).exclude(pk__in=kept))
    return count


def _delete_beyond_size(kept: list[int]) -> int:
    # The oldest logs go until all logs together are below the limit.
    total = Run.objects.aggregate(total=Sum("log_bytes"))["total"] or 0
    excess = total - settings.KEEP_MB * 2**20
    final = Run.objects.filter(status__in=states.FINAL, log_bytes__gt=0)
    rows = final.exclude(pk__in=kept).order_by("pk").values_list("pk", "log_bytes")
    to_delete: list[int] = []
    for pk, log_bytes in rows.iterator(chunk_size=BATCH):
        if excess <= 0:
            break
        to_delete.append(pk)
        excess -= log_bytes
    count = 0
    for start in range(0, len(to_delete), BATCH):
        count += _delete(Run.objects.filter(pk__in=to_delete[start : start + BATCH]))
    return count


def _delete(rows: RunQuerySet) -> int:
    # Folder first: a row without a folder is harmless, a folder without a row would stay for ever.
    count = 0
    stuck = set[int]()
    while True:
        left = rows.exclude(pk__in=stuck).order_by("pk")
        batch = list(left.values_list("pk", "folder")[:BATCH])
        if not batch:
            return count
        removed = []
        for pk, folder in batch:
            if _is_removed(pk, folder):
                removed.append(pk)
            else:
                stuck.add(pk)
        Run.objects.filter(pk__in=removed).delete()
        count += len(removed)


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
