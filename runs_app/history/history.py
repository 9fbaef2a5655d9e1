"""History: pages of runs, the folding of finished folders, and retention."""

import json
import logging
import shutil
import struct
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import Max, Q, Sum
from django_q.models import Failure

from runs_app import launcher_client, run_folder, states
from runs_app.launcher.folders import ARCHIVE
from runs_app.launcher.output.record_format import LOG
from runs_app.models import Run, RunQuerySet
from runs_app.output import samples
from runs_app.states import Kind, Status
from scripts_app.models import Script
from tempo_site.lib import files, paths

logger = logging.getLogger(__name__)

KEPT = frozenset({ARCHIVE, LOG})
BAD = (Status.FAILED, Status.TIMED_OUT, Status.LOST)
BATCH = 200
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

    `status` may name several; `since` leaves out what had ended before that moment.
    """
    rows = Run.objects.of_kind(kind).newest_first(before=before)
    if status:
        rows = rows.filter(status__in=[status] if isinstance(status, str) else status)
    if since:
        rows = rows.filter(Q(finished_at__gte=since) | Q(finished_at=None))
    wanted = {"script__slug": script, "trigger": trigger}
    rows = rows.filter(**{name: value for name, value in wanted.items() if value})
    related = rows.select_related("script", "schedule", "version", "environment")
    return list(related.defer(*LONG_TEXTS)[:limit])


def lowered_isolation(script: Script) -> tuple[str, str] | None:
    """The grade of a script's last run and why, if that was less than the installation can give."""
    began = Run.objects.filter(script=script).exclude(isolation="").order_by("-pk")
    last = began.values_list("isolation", "isolation_why", "isolation_degraded").first()
    return (last[0], last[1]) if last and last[2] else None


def archive_finished(*, now: datetime, limit: int = 100) -> int:
    """Fold the folders of the finished runs that wait longest into two files each; returns how many were done."""
    waiting = Run.objects.filter(archived_at=None, finished_at__isnull=False).order_by("pk")
    runs = list(waiting.select_related("script")[:limit])
    if not runs:
        return 0
    for run in runs:
        try:
            archive(run, paths.run_folder(run.folder))
        except (
            OSError,
            ValueError,
            RecursionError,
            launcher_client.LauncherError,
        ):  # it costs space, nothing else
            logger.warning("the folder of run %s could not be folded", run.pk, exc_info=True)
    Run.objects.filter(pk__in=[run.pk for run in runs]).update(archived_at=now)
    return len(runs)


def archive(run: Run, folder: Path) -> None:
    """Leave `run.json` and `output.log` in a run's folder; repeatable, and a crash in between loses nothing."""
    # a link may lead to what is not its own
    if not run.folder or folder.is_symlink() or not folder.is_dir():
        return
    if not (
        folder / ARCHIVE
    ).exists():  # whole when it is there, and written before anything is removed
        files.write_atomic(folder / ARCHIVE, json.dumps(summary(run, folder)), durable=False)
    _remove_temporary(run, folder)
    for entry in folder.iterdir():
        if entry.name not in KEPT and (entry.is_symlink() or not entry.is_dir()):
            entry.unlink(missing_ok=True)


def summary(run: Run, folder: Path) -> dict[str, Any]:
    """What a row could be rebuilt from: the run's identity, its state, its verdict, its line index."""
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


def prune(*, now: datetime) -> int:
    """Apply retention: age, runs a script, megabytes in all; the last failure of each script stays."""
    keep = _last_failures()
    count = (
        _delete(_too_old(now).exclude(pk__in=keep))
        + _delete_beyond_count(keep)
        + _delete_beyond_size(keep)
    )
    _remove_empty_months(paths.month(now))
    Failure.objects.filter(
        stopped__lt=now - timedelta(days=settings.KEEP_DAYS)
    ).delete()  # q2 never prunes these
    if count:
        logger.info("retention removed runs=%s", count)
    return count


def _too_old(now: datetime) -> RunQuerySet:
    return Run.objects.filter(
        status__in=states.FINAL, created_at__lt=now - timedelta(days=settings.KEEP_DAYS)
    )


def _last_failures() -> list[int]:
    rows = Run.objects.filter(status__in=BAD).values("kind", "script").annotate(last=Max("pk"))
    return [row["last"] for row in rows]


def _delete_beyond_count(keep: list[int]) -> int:
    """Builds count together, as those of one script."""
    count = 0
    for kind, script_id in Run.objects.order_by().values_list("kind", "script").distinct():
        rows = Run.objects.filter(kind=kind, script_id=script_id, status__in=states.FINAL)
        beyond = rows.order_by("-pk").values_list("pk", flat=True)[settings.KEEP_RUNS :]
        if edge := next(iter(beyond[:1]), None):
            count += _delete(rows.filter(pk__lte=edge).exclude(pk__in=keep))
    return count


def _delete_beyond_size(keep: list[int]) -> int:
    """The oldest logs go until all of them together are below the limit."""
    excess = (
        Run.objects.aggregate(total=Sum("log_bytes"))["total"] or 0
    ) - settings.KEEP_MB * 2**20
    to_delete: list[int] = []
    rows = (
        Run.objects.filter(status__in=states.FINAL, log_bytes__gt=0)
        .exclude(pk__in=keep)
        .order_by("pk")
    )
    for pk, log_bytes in rows.values_list("pk", "log_bytes").iterator(chunk_size=BATCH):
        if excess <= 0:
            break
        to_delete.append(pk)
        excess -= log_bytes
    return sum(_delete(Run.objects.filter(pk__in=part)) for part in _parts(to_delete))


def _delete(rows: RunQuerySet) -> int:
    """Delete runs, folder first: a row without a folder is harmless, a folder without a row would stay for ever."""
    count, resisting = 0, set[int]()
    while batch := list(
        rows.exclude(pk__in=resisting).order_by("pk").values_list("pk", "folder")[:BATCH]
    ):
        gone = [pk for pk, folder in batch if _is_removed(pk, folder)]
        resisting |= {pk for pk, _ in batch} - set(gone)
        Run.objects.filter(pk__in=gone).delete()
        count += len(gone)
    return count


def _is_removed(pk: int, folder: str) -> bool:
    """Remove a folder; one that resists keeps its row, to be tried again, and must not end retention for all."""
    try:
        if folder:
            remove_folder(folder)
    except (OSError, launcher_client.LauncherError):
        logger.warning("the folder %s of run %s could not be removed", folder, pk, exc_info=True)
        return False
    return True


def remove_folder(name: str) -> None:
    """Remove a run's folder; what a script made of it is left to the launcher, which copes with any owner and depth."""
    try:
        shutil.rmtree(paths.run_folder(name))
    except FileNotFoundError:
        return
    except (OSError, RecursionError):
        launcher_client.launcher.remove(name, "all")


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


def _remove_empty_months(current: str) -> None:
    """Only months that are over: in the current one a run's folder may be about to be made."""
    for month in paths.runs().iterdir():
        if month.name < current and month.is_dir() and not any(month.iterdir()):
            month.rmdir()


def _parts(items: list[int]) -> Iterable[list[int]]:
    return (items[index : index + BATCH] for index in range(0, len(items), BATCH))


def _runner_files(folder: Path) -> dict[str, Any]:
    """What the runner left; nothing of what is torn or no file."""
    with run_folder.opened(folder) as descriptor:
        if descriptor is None:
            return {"state": None, "exit": None, "index": []}
        return {
            "state": run_folder.read_object(descriptor, "state.json"),
            "exit": run_folder.read_object(descriptor, "exit.json"),
            "index": _index(
                run_folder.read(descriptor, "output.idx", max_bytes=MAX_INDEX_BYTES) or b""
            ),
        }


def _index(data: bytes) -> list[int]:
    """The runner's index of every 1,000th record, little-endian 64 bit, as numbers."""
    return [offset for (offset,) in struct.iter_unpack("<Q", data[: len(data) // 8 * 8])]
