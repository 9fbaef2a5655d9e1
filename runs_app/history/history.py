"""Finished runs: listed page by page, and their folders archived."""

import json
import logging
import shutil
import struct
from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db.models import Q

from runs_app import launcher_client, run_folder
from runs_app.launcher.folders import ARCHIVE
from runs_app.launcher.output.record_format import LOG
from runs_app.models import Run
from runs_app.output import samples
from runs_app.states import Kind, Status
from scripts_app.models import Script
from tempo_site.lib import files, paths

logger = logging.getLogger(__name__)

KEPT = frozenset({ARCHIVE, LOG})
BAD = (Status.FAILED, Status.TIMED_OUT, Status.LOST)
MAX_INDEX_BYTES = 8 * 2**20  # of a log with a thousand million lines
LONG_TEXTS = (
    "version__code",
    "version__requirements",
    "environment__lock",
    "environment__requirements",
)


def page(
    *,
    before: int | None = None,
    limit: int = 50,
    script: str = "",
    status: str | Collection[str] = "",
    kind: str = Kind.SCRIPT,
    trigger: str = "",
    since: datetime | None = None,
) -> list[Run]:
    """Return runs newest first, below id `before`, in one query, whatever the size.

    `status` may name several; `since` leaves out the runs that had ended before that moment.
    """
    rows = Run.objects.of_kind(kind).newest_first(before=before)
    if status:
        statuses = [status] if isinstance(status, str) else status
        rows = rows.filter(status__in=statuses)
    if since:
        rows = rows.filter(Q(finished_at__gte=since) | Q(finished_at=None))
    if script:
        rows = rows.filter(script__slug=script)
    if trigger:
        rows = rows.filter(trigger=trigger)
    related = rows.select_related("script", "schedule", "version", "environment")
    return list(related.defer(*LONG_TEXTS)[:limit])


def lowered_isolation(script: Script) -> tuple[str, str] | None:
    """Return the grade of a script's last run and why, if that was less than the installation can give."""
    began = Run.objects.filter(script=script).exclude(isolation="").order_by("-pk")
    last = began.values_list("isolation", "isolation_why", "isolation_degraded").first()
    if last is None:
        return None
    grade, why, is_degraded = last
    return (grade, why) if is_degraded else None


def archive_finished(*, now: datetime, limit: int = 100) -> int:
    """Archive the finished runs that wait longest, at most `limit`; return how many were looked at."""
    waiting = Run.objects.filter(archived_at=None, finished_at__isnull=False).order_by("pk")
    runs = list(waiting.select_related("script")[:limit])
    if not runs:
        return 0
    for run in runs:
        try:
            archive(run, paths.run_folder(run.folder))
        except (OSError, ValueError, RecursionError, launcher_client.LauncherError):
            # A folder that stays as it is costs space, nothing else.
            logger.warning("the folder of run %s could not be folded", run.pk, exc_info=True)
    Run.objects.filter(pk__in=[run.pk for run in runs]).update(archived_at=now)
    return len(runs)


def archive(run: Run, folder: Path) -> None:
    """Leave `run.json` and `output.log` in a run's folder; repeatable, and a crash in between loses no data."""
    # A link may lead out of the folder of runs.
    if not run.folder or folder.is_symlink() or not folder.is_dir():
        return
    # The file is whole when it is there, and written before anything is removed.
    if not (folder / ARCHIVE).exists():
        files.write_atomic(folder / ARCHIVE, json.dumps(summary(run, folder)), durable=False)
    _remove_temporary(run, folder)
    for entry in folder.iterdir():
        is_folder = entry.is_dir() and not entry.is_symlink()
        if entry.name not in KEPT and not is_folder:
            entry.unlink(missing_ok=True)


def summary(run: Run, folder: Path) -> dict[str, Any]:
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


def _remove_temporary(run: Run, folder: Path) -> None:
    temporary = folder / "tmp"
    if temporary.is_symlink() or temporary.is_file():  # a script may put anything in its place
        temporary.unlink()
        return
    try:
        shutil.rmtree(temporary)
    except FileNotFoundError:
        return
    except (OSError, RecursionError):
        launcher_client.launcher.remove(run.folder, "tmp")


def _runner_files(folder: Path) -> dict[str, Any]:
    with run_folder.opened(folder) as descriptor:
        if descriptor is None:
            return {"state": None, "exit": None, "index": []}
        index = run_folder.read(descriptor, "output.idx", max_bytes=MAX_INDEX_BYTES)
        return {
            "state": run_folder.read_object(descriptor, "state.json"),
            "exit": run_folder.read_object(descriptor, "exit.json"),
            "index": _offsets(index or b""),
        }


def _offsets(index: bytes) -> list[int]:
    # The runner's index of every 1,000th record, little-endian, 64 bit each.
    whole = index[: len(index) // 8 * 8]
    return [offset for (offset,) in struct.iter_unpack("<Q", whole)]
