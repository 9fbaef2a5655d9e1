"""Logs of runs that ended more than a day ago are compressed: read as before, in a third of the space or less."""

import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from django.db import transaction

from runs_app import run_folder
from runs_app.figures import counting
from runs_app.launcher import files
from runs_app.models import ColdLogs, Run
from runs_app.output import cold_log
from runs_app.output.cold_log import ColdLog
from runs_app.output.line_index import LineIndex
from runs_app.output.log import LOG
from tempo_site.lib import paths

logger = logging.getLogger(__name__)

AGE = timedelta(days=1)
BATCH = 50
MIN_BYTES = 4096  # a smaller log takes one block of the disk either way
# A turn is over long before django-q2 takes its task for lost and hands it to the other worker as well.
MAX_BYTES_A_TURN = 256 * 2**20
MAX_A_TURN = 500
TEMPORARY = files.temporary(cold_log.NAME)


def compress_old(*, now: datetime) -> int:
    """Compress logs, the oldest first, as many as one turn takes; return how many."""
    count = size = 0
    while size < MAX_BYTES_A_TURN and count < MAX_A_TURN:
        mark = ColdLogs.objects.first() or ColdLogs.objects.get_or_create(pk=1)[0]
        batch = _next_runs(mark, before=now - AGE)
        if not batch:
            break
        saved = []
        for run in batch:
            size += run.log_bytes
            cold_bytes = _compress_safely(run)
            if cold_bytes is not None:
                saved.append((run, cold_bytes))
        _store(mark, batch[-1], saved)
        count += len(saved)
    if count:
        logger.info("compressed the logs of runs=%s", count)
    return count


def compress(path: Path) -> int | None:
    """Put the cold log of a run's folder in the place of the plain one; return its bytes, None where there is no log.

    At every moment one of both is whole: the plain one goes when the cold one is on the disk and was read back.
    Raise OSError.
    """
    with run_folder.opened(path) as folder:
        if folder is None or not run_folder.size(folder, LOG):
            return None
        plain = files.open_existing(LOG, dir_fd=folder)
        try:
            size = _write_beside(path, folder, plain)
        except BaseException:
            with suppress(OSError):
                os.unlink(TEMPORARY, dir_fd=folder)
            raise
        finally:
            os.close(plain)
        os.rename(TEMPORARY, cold_log.NAME, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)
        os.unlink(LOG, dir_fd=folder)
    return size


def _next_runs(mark: ColdLogs, *, before: datetime) -> list[Run]:
    # Without those that stay as they are: a history of small logs would take a transaction for every fifty.
    rows = Run.objects.filter(finished_at__lte=before, log_bytes__gte=MIN_BYTES).exclude(folder="")
    if mark.finished_at is not None:
        rows = rows.filter(finished_at__gte=mark.finished_at)
        rows = rows.exclude(finished_at=mark.finished_at, pk__lte=mark.run)
    return list(
        rows.order_by("finished_at", "pk").only(*counting.COUNTED_COLUMNS, "folder")[:BATCH]
    )


def _compress_safely(run: Run) -> int | None:
    try:
        return compress(paths.run_folder(run.folder))
    except FileNotFoundError:
        return None  # deleted by retention in the middle of it
    except OSError as error:
        logger.warning("the log of run %s stays as it is: %s", run.pk, error)
        return None


def _write_beside(path: Path, folder: int, plain: int) -> int:
    index = LineIndex(path / LOG)
    with index.reading():
        lines = index.stored()
    descriptor = files.open_or_create(TEMPORARY, dir_fd=folder)
    try:
        os.ftruncate(descriptor, 0)
        size = cold_log.write(descriptor, _frames(plain), identity=index.inode, lines=lines)
        os.fsync(descriptor)
        _compare(os.dup(descriptor), plain)
    finally:
        os.close(descriptor)
    return size


def _frames(plain: int) -> Iterator[bytes]:
    offset = 0
    while frame := os.pread(plain, cold_log.FRAME_BYTES, offset):
        yield frame
        offset += len(frame)


def _compare(descriptor: int, plain: int) -> None:
    cold = ColdLog(descriptor)
    try:
        offset = 0
        for frame in _frames(plain):
            if cold.pread(cold_log.FRAME_BYTES, offset) != frame:
                raise OSError("the compressed log was not read back as it was written")
            offset += len(frame)
        if cold.size != offset:
            raise OSError("the log has grown meanwhile")
    finally:
        cold.close()


def _store(mark: ColdLogs, last: Run, saved: list[tuple[Run, int]]) -> None:
    smaller = []
    for run, cold_bytes in saved:
        smaller.append((run, run.log_bytes - cold_bytes))
        run.log_bytes = cold_bytes
    with transaction.atomic():
        if saved:
            Run.objects.bulk_update([run for run, _ in saved], ["log_bytes"])
            counting.note_compressed(smaller)
        mark.finished_at, mark.run = last.finished_at, last.pk
        mark.save()
