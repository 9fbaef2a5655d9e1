"""Runs that cannot be settled: tried again a few times, then ended as lost, so that none takes a place for ever.

An error of the machine (no descriptors, a full or failing disk, a busy database) says nothing about a run and is not
counted: the sweep goes on trying.
"""

import errno
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

from django.db import DatabaseError

from runs_app import ballast, disk_space, launcher_client
from runs_app.execution import finish
from runs_app.models import Run
from runs_app.signals import announced_at
from runs_app.states import Reason, Status
from tempo_site.lib import paths

logger = logging.getLogger(__name__)

MAX_TRIES = 5
APART_S = 1.0  # tries that come together, as behind a bell, are one
_OF_THE_MACHINE = frozenset(
    {
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EROFS,
        errno.EAGAIN,
    }
)


@dataclass(kw_only=True)
class Tries:
    count: int = 0
    last_at: float = 0.0  # of time.monotonic()


_tries: dict[int, Tries] = {}


@contextmanager
def failing_alone(run: Run, *, now: datetime) -> Iterator[None]:
    """Keep an error of one run from the others; the last of its tries ends the run."""
    try:
        yield
    except Exception as error:
        logger.exception("run %s could not be settled", run.pk)
        ballast.give_up_if_full(error)
        if not _is_of_the_machine(error) and _is_last_try(run.pk):
            _give_up(run, error, now)


def forget(run: Run) -> None:
    """Forget the failures of a run that could be looked at to the end."""
    _tries.pop(run.pk, None)


def forget_others(under_way: set[int]) -> None:
    for pk in _tries.keys() - under_way:
        _tries.pop(pk, None)


def _is_last_try(pk: int) -> bool:
    tries = _tries.setdefault(pk, Tries())
    if tries.count and time.monotonic() - tries.last_at < APART_S:
        return False
    tries.count += 1
    tries.last_at = time.monotonic()
    return tries.count >= MAX_TRIES


def _is_of_the_machine(error: Exception) -> bool:
    if isinstance(error, DatabaseError | MemoryError | launcher_client.LauncherError):
        return True
    if not isinstance(error, OSError):
        return False
    return error.errno in _OF_THE_MACHINE or not _is_data_folder_well()


def _is_data_folder_well() -> bool:
    # Where all of it cannot be used, no single run is to blame.
    try:
        next(paths.runs().iterdir(), None)
    except OSError:
        return False
    return not disk_space.why_not_writable()


def _give_up(run: Run, error: Exception, now: datetime) -> None:
    # Nothing can be learned of it any more, so its processes are ended and the row says so.
    with suppress(launcher_client.LauncherError):
        launcher_client.launcher.cancel(run.folder)
    why = error.strerror if isinstance(error, OSError) else repr(error)
    message = f"Its folder below runs/ cannot be used ({why}), so how it ended is not known."
    try:
        finish.end(run, Status.LOST, now=now, reason=Reason.RESTART, message=message)
    except Exception:  # what its end means to others is what fails: the row ends all the same
        logger.exception("the end of run %s could not be told to its program", run.pk)
        row = Run.objects.filter(pk=run.pk)
        row.move(
            Status.LOST,
            reason=Reason.RESTART,
            message=message,
            finished_at=now,
            announced_at=announced_at(run, Status.LOST, now=now, fields={}),
        )
