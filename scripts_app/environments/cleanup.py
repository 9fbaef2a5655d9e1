"""The removal of unused environments, of folders without a row, and of the work folders of killed builds."""

import contextlib
import fcntl
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from scripts_app.models import Environment, Script, Version
from tempo_site.lib import paths

logger = logging.getLogger(__name__)

TEMPORARY = ".tmp-"  # prefix of the folders below envs/ that are not (yet) an environment
HEALTH = "health-"  # prefix of the folders below cache/ of looks at environments
MIN_AGE = timedelta(days=1)  # since the folder was built or requested


def collect(now: datetime, *, in_use: Collection[int] = (), ran: Collection[int] = ()) -> int:
    """Delete unused rows and folders, except `in_use` (of current runs); return the number of removed folders.

    A row is kept for any version and for `ran` (of runs in the history, which can then be repeated), a folder for
    scripts, processes and the versions of PYSCHED_KEEP_ENVIRONMENT_DAYS.
    """
    oldest_kept = now - MIN_AGE
    with transaction.atomic():
        deleted = Script.objects.filter(deleted_at__lt=oldest_kept)
        deleted.update(environment=None, wanted_environment=None, upgrade=None)
        unused = _unused(now).exclude(pk__in=in_use)
        forgotten = unused.filter(versions=None, created_at__lt=oldest_kept)
        forgotten.exclude(pk__in=ran).delete()
        # The lock stays: the folder can be built from the lock again.
        ready = unused.filter(state=Environment.State.READY)
        ready.update(
            state=Environment.State.STORED, digest="", size_bytes=None, fault="", message=""
        )
    digests = set(Environment.objects.values_list("digest", flat=True))
    # The row of a current run may have got another folder in the meantime.
    digests |= _digests_in_processes()
    count = 0
    for folder in list(paths.environments().glob("[!.]*")):
        if folder.name not in digests and _remove_old(folder, oldest_kept):
            count += 1
    return count


def _unused(now: datetime) -> QuerySet[Environment]:
    recent_versions = Version.objects.filter(
        script__deleted_at=None,
        environment__isnull=False,
        created_at__gte=now - timedelta(days=settings.KEEP_ENVIRONMENT_DAYS),
    )
    rows = Environment.objects.filter(
        scripts=None,
        waiting_scripts=None,
        upgrading_scripts=None,
    )
    rows = rows.exclude(state=Environment.State.BUILDING)
    return rows.exclude(pk__in=recent_versions.values("environment"))


def remove_temporary(*, in_use: Collection[str] = ()) -> list[str]:
    """Remove the work folders of killed builds; return the names of those whose files belong to another user."""
    for folder in paths.cache().glob(f"{HEALTH}*"):  # of looks that were killed
        shutil.rmtree(folder, ignore_errors=True)
    remaining = []
    for folder in paths.environments().glob(f"{TEMPORARY}*"):
        if folder.name not in in_use and not _is_locked(folder) and not remove_work(folder.name):
            remaining.append(folder.name)
    return remaining


def remove_work(name: str) -> bool:
    """Remove the work folder of a build; False when it is still there."""
    try:
        shutil.rmtree(paths.environments() / name)
    except FileNotFoundError:
        return True
    except (OSError, RecursionError) as error:
        logger.info("work folder not removed name=%s reason=%s", name, error)
        return False
    return True


def _is_locked(folder: Path) -> bool:
    # By a build that an older Tempo began, or that is no folder of ours at all.
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:  # a file, a link, gone by now: not worth a failed start
        logger.warning("work folder not removed path=%s reason=%s", folder, error)
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _digests_in_processes() -> set[str]:
    pattern = re.compile(re.escape(os.fsencode(paths.environments())) + rb"/([0-9a-f]+)")
    found: set[bytes] = set()
    for process in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            with contextlib.suppress(OSError):  # the process has ended, or belongs to another user
                found.update(pattern.findall((process / name).read_bytes()))
    return {digest.decode() for digest in found}


def _remove_old(folder: Path, oldest_kept: datetime) -> bool:
    ready = folder / "READY"
    touched = ready if ready.exists() else folder
    if touched.lstat().st_mtime >= oldest_kept.timestamp():
        return False
    # The folder is renamed first, so that no process sees half an environment.
    temporary = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=folder.parent))
    folder.rename(temporary / folder.name)
    shutil.rmtree(temporary)
    return True
