"""Finished runs: listed page by page, and their folders archived."""

import contextlib
import json
import logging
import os
import shutil
import struct
import time
from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from django.db.models import OuterRef, Q, Subquery
from django.db.models.expressions import RawSQL

from runs_app import hot_statements, launcher_client, run_folder, states
from runs_app.launcher import files as launcher_files
from runs_app.launcher.folders import ARCHIVE
from runs_app.launcher.output.record_format import LOG
from runs_app.models import Run, RunQuerySet
from runs_app.output import cold_log, samples
from runs_app.states import Kind, Status
from scripts_app.models import Script
from tempo_site.lib import paths
from tempo_site.lib.sqlite.prepared import Given, PreparedQuery

logger = logging.getLogger(__name__)

KEPT = frozenset({ARCHIVE, LOG, cold_log.NAME})
FIRST_RETRY_S, LONGEST_RETRY_S = 10.0, 3600.0
MAX_RETRIES = 1000
MAX_ARCHIVED = 100  # at a time
MAX_UNMARKED = 100
BAD = (Status.FAILED, Status.TIMED_OUT, Status.LOST)
MAX_INDEX_BYTES = 8 * 2**20  # of a log with a thousand million lines
IN_SUMMARY = ("kind", "status", "reason", "trigger", "due_at", "created_at")
LONG_TEXTS = (
    "version__code",
    "version__requirements",
    "environment__lock",
    "environment__requirements",
)


# Of the finished runs whose folders are not archived, those that wait longest; `but` is a JSON array of ids.
_UNARCHIVED = PreparedQuery(
    lambda: (
        Run.objects.filter(archived_at=None, finished_at__isnull=False)
        .exclude(pk__in=RawSQL("SELECT value FROM json_each(%s)", [Given("but")]))
        .select_related("script")
        .only(*IN_SUMMARY, "folder", "script__slug")
        .order_by("pk")[:MAX_ARCHIVED]
    )
)


class Retry(NamedTuple):
    at: float  # of time.monotonic()
    wait_s: float


_retries: dict[int, Retry] = {}
# Runs whose folders are archived and whose rows do not say so yet. Lost with the process, which only means that a look
# finds nothing left to do in their folders.
_unmarked: set[int] = set()


def page(**chosen: Any) -> list[Run]:
    """Return the runs that `newest` chooses with all that a page shows of them."""
    return loaded(newest(**chosen))


def loaded(runs: RunQuerySet) -> list[Run]:
    related = runs.select_related("script", "schedule", "version", "environment")
    return list(related.defer(*LONG_TEXTS))


def newest(
    *,
    before: int | None = None,
    limit: int = 50,
    script: str = "",
    status: str | Collection[str] = "",
    kind: str = Kind.SCRIPT,
    trigger: str = "",
    since: datetime | None = None,
    scripts: Collection[int] | None = None,
    more: Q | None = None,
) -> RunQuerySet:
    """Choose runs newest first, below id `before`, by as many queries as statuses, whatever the size.

    `status` may name several, `since` leaves out what had ended before; `scripts` and `more` are of `run_filters`.
    """
    found = Run.objects.of_kind(kind).newest_first(before=before)
    if isinstance(status, str) and status:
        found = found.with_status(status)
    if since:
        found = found.filter(Q(finished_at__gte=since) | Q(finished_at=None))
    if script:
        found = found.filter(script__slug=script)
    if trigger:
        found = found.filter(trigger=trigger)
    if more is not None:
        found = found.filter(more)
    return _newest(found, status, scripts, limit=limit)[:limit]


def _newest(
    rows: RunQuerySet, status: str | Collection[str], scripts: Collection[int] | None, *, limit: int
) -> RunQuerySet:
    if not isinstance(status, str):
        return _newest_by_status(rows, status, scripts, limit=limit)
    if scripts is None:
        return rows
    if status in states.USUAL:  # the index of the status leads
        return rows.filter(script__in=scripts)
    return _newest_by_script(rows, scripts, limit=limit)


def _newest_by_status(
    rows: RunQuerySet, statuses: Collection[str], scripts: Collection[int] | None, *, limit: int
) -> RunQuerySet:
    # One after the other: with `status IN` the database sorts all runs of these statuses for the newest few.
    newest: list[int] = []
    for status in statuses:
        found = _newest(rows.with_status(status), status, scripts, limit=limit)
        newest += found.values_list("pk", flat=True)[:limit]
    return Run.objects.filter(pk__in=sorted(newest, reverse=True)[:limit]).newest_first()


def _newest_by_script(rows: RunQuerySet, scripts: Collection[int], *, limit: int) -> RunQuerySet:
    # The newest few of each script: with `script IN` the database sorts all runs of these scripts.
    of_script = rows.filter(script=OuterRef("pk")).values("pk")[:limit]
    found = Script.objects.filter(pk__in=scripts, runs__pk__in=Subquery(of_script))
    newest = found.order_by("-runs__pk").values_list("runs__pk", flat=True)
    return Run.objects.filter(pk__in=list(newest[:limit])).newest_first()


def lowered_isolation(script: Script | None = None) -> tuple[str, str] | None:
    """Return the grade of the last run and why, if that was less than the installation can give.

    Of one script, or of all but those that are set to have less.
    """
    if script is None:
        began = Run.objects.filter(script__as_service_user=False)
    else:
        began = Run.objects.filter(script=script)
    began = began.exclude(isolation="").order_by("-pk")
    last = began.values_list("isolation", "isolation_why", "isolation_degraded").first()
    if last is None:
        return None
    grade, why, is_degraded = last
    return (grade, why) if is_degraded else None


def archive_finished(*, now: datetime, limit: int = MAX_ARCHIVED) -> int:
    """Archive the folders of finished runs that wait longest, at most `limit`; return how many were archived.

    A folder that cannot be archived is tried again, in longer and longer intervals. The rows are marked together with
    the next end of a run, as a transaction costs more than the mark.
    """
    put_off = [pk for pk, retry in _retries.items() if retry.at > time.monotonic()]
    waiting = _UNARCHIVED.rows(but=json.dumps([*put_off, *_unmarked]))
    archived = [run.pk for run in waiting[:limit] if _is_archived(run)]
    _unmarked.update(archived)
    if len(_unmarked) >= MAX_UNMARKED:
        mark_archived(now=now)
    return len(archived)


def mark_archived(*, now: datetime) -> None:
    """Store which runs were archived since the last time."""
    if not _unmarked:
        return
    marked = list(_unmarked)
    hot_statements.mark_archived(marked, now=now)
    _unmarked.difference_update(marked)


def _is_archived(run: Run) -> bool:
    try:
        archive(run, paths.run_folder(run.folder))
    except (OSError, ValueError, RecursionError, launcher_client.LauncherError) as error:
        wait_s = _put_off(run.pk)
        logger.warning("run %s could not be archived, again in %.0f s: %s", run.pk, wait_s, error)
        return False
    _retries.pop(run.pk, None)
    return True


def _put_off(pk: int) -> float:
    if len(_retries) >= MAX_RETRIES:
        _retries.clear()  # all of them at once, as on a full disk: from the beginning
    before = _retries.get(pk)
    wait_s = min(before.wait_s * 2, LONGEST_RETRY_S) if before else FIRST_RETRY_S
    _retries[pk] = Retry(at=time.monotonic() + wait_s, wait_s=wait_s)
    return wait_s


def archive(run: Run, path: Path) -> None:
    """Leave `run.json` and `output.log` in a run's folder; repeatable, and a crash in between loses no data."""
    if not run.folder:
        return
    with run_folder.opened(path) as folder:
        if folder is None:  # gone, or replaced: a link may lead out of the folder of runs
            return
        # First of all, as it gives space, which all that follows may need.
        remove_temporary(run, folder)
        # The file is whole when it is there, and written before anything is removed of what it holds.
        if not run_folder.has(folder, ARCHIVE):
            content = json.dumps(summary(run, folder)).encode()
            _take_file_of_spec(folder)
            launcher_files.write(ARCHIVE, content, dir_fd=folder)
        for name in run_folder.files_in(folder) - KEPT:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder)


def _take_file_of_spec(folder: int) -> None:
    # Nobody needs the specification any more. A file deleted and another one made cost the more, the more files the
    # file system has deleted in the last minutes: ext4 passes over each of them.
    if run_folder.is_own_file(folder, run_folder.SPEC):
        beside = launcher_files.temporary(ARCHIVE)
        os.rename(run_folder.SPEC, beside, src_dir_fd=folder, dst_dir_fd=folder)


def summary(run: Run, folder: int) -> dict[str, Any]:
    """Return the content of `run.json`, from which a row could be rebuilt: identity, state, verdict, line index."""
    return {
        "v": 1,
        "id": run.pk,
        "kind": run.kind,
        "script": run.script.slug if run.script else None,
        "status": run.status,
        "reason": run.reason,
        "trigger": run.trigger,
        "due_at": run.due_at.isoformat() if run.due_at else None,
        "created_at": run.created_at.isoformat(),
        **_runner_files(folder),
        "samples": samples.live(folder),
    }


def remove_temporary(run: Run, folder: int) -> None:
    """Remove `tmp/`, whatever a script has made of it. Raise OSError, LauncherError."""
    if not run_folder.is_directory(folder, run_folder.TEMPORARY):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(run_folder.TEMPORARY, dir_fd=folder)
        return
    try:
        shutil.rmtree(run_folder.TEMPORARY, dir_fd=folder)
    except FileNotFoundError:
        return
    except (OSError, RecursionError):
        launcher_client.launcher.remove(run.folder, "tmp")


def _runner_files(folder: int) -> dict[str, Any]:
    index = run_folder.read(folder, "output.idx", max_bytes=MAX_INDEX_BYTES)
    return {
        "state": run_folder.read_object(folder, run_folder.STATE),
        "exit": run_folder.read_object(folder, run_folder.EXIT),
        "index": _offsets(index or b""),
    }


def _offsets(index: bytes) -> list[int]:
    # The runner's index of every 1,000th record, little-endian, 64 bit each.
    whole = index[: len(index) // 8 * 8]
    return [offset for (offset,) in struct.iter_unpack("<Q", whole)]
