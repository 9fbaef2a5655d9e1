"""Clearing away: environments that nobody needs, folders that no row names, what killed builds left behind."""

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

from scripts_app.environments.drivers import build
from scripts_app.models import Environment, Script, Version
from tempo_site.lib import paths

logger = logging.getLogger(__name__)

KEEP = timedelta(days=1)  # a folder that was built or asked for so lately stays in any case


def collect(now: datetime, *, in_use: Collection[int] = ()) -> int:
    """Delete rows that nothing names and remove folders that nobody needs. Returns how many folders.

    A row stays as long as a version names it: it holds that version's lock, of which its folder can be built again.
    The folder goes when no script is set to it and no version of the last PYSCHED_KEEP_ENVIRONMENT_DAYS names it.
    `in_use` names the environments of runs that are under way. A folder that a living process names is kept as well:
    its row may have got another folder while the run goes on.
    """
    old = now - KEEP
    with transaction.atomic():
        Script.objects.filter(deleted_at__lt=old).update(
            environment=None, wanted_environment=None, upgrade=None
        )
        unused = _unused(now).exclude(pk__in=in_use)
        unused.filter(versions=None, created_at__lt=old).delete()
        forgotten = {"digest": "", "size_bytes": None, "fault": "", "message": ""}
        unused.filter(state=Environment.State.READY).update(
            state=Environment.State.STORED, **forgotten
        )
    named = set(Environment.objects.values_list("digest", flat=True)) | _digests_in_processes()
    folders = [folder for folder in paths.environments().glob("[!.]*") if folder.name not in named]
    return sum(_remove_older(folder, old) for folder in folders)


def _unused(now: datetime) -> QuerySet[Environment]:
    """What no script is set to, nobody builds and no recent version names; those of deleted scripts are not recent."""
    recent = Version.objects.filter(
        script__deleted_at=None,
        environment__isnull=False,
        created_at__gte=now - timedelta(days=settings.KEEP_ENVIRONMENT_DAYS),
    )
    rows = Environment.objects.filter(scripts=None, waiting_scripts=None, upgrading_scripts=None)
    return rows.exclude(state=Environment.State.BUILDING).exclude(
        pk__in=recent.values("environment")
    )


def remove_temporary() -> None:
    """Remove the work folders of builds that were killed; a living build holds a lock on its own."""
    for folder in paths.environments().glob(f"{build.TEMPORARY}*"):
        try:
            _remove_unlocked(folder)
        except (
            OSError
        ) as error:  # a file, a link, gone by now: it costs space, the start must not fail for it
            logger.warning("work folder not removed path=%s reason=%s", folder, error)


def _remove_unlocked(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
    except BlockingIOError:
        logger.info("work folder in use path=%s", folder)
    finally:
        os.close(descriptor)


def _digests_in_processes() -> set[str]:
    """The environments that stand on a command line or in the variables of a process, as far as they can be read."""
    pattern = re.compile(re.escape(os.fsencode(paths.environments())) + rb"/([0-9a-f]+)")
    found: set[bytes] = set()
    for process in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            with contextlib.suppress(OSError):  # ended meanwhile, or another user's
                found.update(pattern.findall((process / name).read_bytes()))
    return {digest.decode() for digest in found}


def _remove_older(folder: Path, old: datetime) -> bool:
    """Remove a folder that was neither built nor asked for since; renamed first, so that nobody meets half of it."""
    ready = folder / "READY"
    touched = (ready if ready.exists() else folder).lstat().st_mtime
    if touched >= old.timestamp():
        return False
    aside = Path(tempfile.mkdtemp(prefix=build.TEMPORARY, dir=folder.parent))
    folder.rename(aside / folder.name)
    shutil.rmtree(aside)
    return True
