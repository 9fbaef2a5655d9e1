"""Deleted scripts: restored within 30 days, emptied after that; and folders that are deleted with all inside."""

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from scripts_app import folders, scripts
from scripts_app.environments import environments
from scripts_app.models import Draft, Folder, Schedule, Script, Variable, Version
from scripts_app.schedules import schedules
from scripts_app.validation import ScriptError
from tempo_site.audit import trail

logger = logging.getLogger(__name__)

KEPT = timedelta(days=30)


def restore(script: Script, *, now: datetime) -> Script:
    """Bring a deleted script back into its folder, with its schedules. Raise ScriptError for an emptied script."""
    with transaction.atomic():
        script.refresh_from_db()
        if script.deleted_at is None:
            return script
        if script.purged_at is not None:
            raise ScriptError(
                f"`{script.slug}` was deleted for good and cannot be restored", field="script"
            )
        script.folder = folders.ensure(script.deleted_from)
        script.deleted_at = None
        script.deleted_from = ""
        script.save(update_fields=["folder", "deleted_at", "deleted_from", "updated_at"])
        schedules.rearm(script, now=now)
        trail.record("restored", script)
    _request_environment(script)
    return script


def ends_at(script: Script) -> datetime | None:
    if script.deleted_at is None:
        return None
    return script.deleted_at + KEPT


def delete_folder(folder: Folder, *, now: datetime, confirm: str = "") -> int:
    """Delete a folder with all inside; return the number of scripts.

    Raise ScriptError for a folder that is not empty, unless `confirm` is its path.
    """
    with transaction.atomic():
        found = list(folders.scripts_in(folder))
        rows = Folder.objects.filter(folders.within(folder.path, field="path"))
        below = rows.count() - 1
        if (found or below) and confirm != folder.path:
            content = f"{_count(len(found), 'script')} and {_count(below, 'folder')}"
            raise ScriptError(
                f"`{folder.path}` holds {content}.\n"
                "hint: move them first, or confirm with its path that all of it is to be deleted",
                field="confirm",
            )
        for script in found:
            scripts.delete(script, now=now)
        # In databases of older releases deleted scripts still lie in their folders.
        for row in rows:
            row.scripts.update(deleted_from=row.path, folder=None)
        trail.record("deleted", folder, changes={"scripts": len(found), "folders below": below})
        rows.delete()
    return len(found)


def claim_expired(now: datetime) -> list[Script]:
    """Return the scripts that were deleted 30 days ago, claimed: no restore succeeds any more, their folders may go."""
    claimed_scripts = []
    for script in Script.objects.restorable().filter(deleted_at__lt=now - KEPT):
        row = Script.objects.restorable().filter(pk=script.pk)
        if row.update(purged_at=now):
            claimed_scripts.append(script)
    return claimed_scripts


def claimed() -> QuerySet[Script]:
    """Return all claimed scripts: a folder that could not be deleted at the time is still there."""
    return Script.objects.filter(purged_at__isnull=False)


def empty(*, ran: QuerySet[Any, Any]) -> int:
    """Delete texts, variables and schedules of claimed scripts; return the number of deleted versions.

    `ran` holds the versions of runs in the history, without NULL: these versions stay.
    """
    # The rows of the scripts stay, too: runs bear their names, and no other script ever gets the slug or the user.
    with transaction.atomic():
        gone = claimed()
        gone.update(
            version=None,
            environment=None,
            wanted_environment=None,
            upgrade=None,
            copies={},
            description="",
        )
        for model in (Draft, Variable, Schedule):
            model._default_manager.filter(script__in=gone).delete()
        count, _ = Version.objects.filter(script__in=gone).exclude(pk__in=ran).delete()
    return count


# The environment may have been deleted since. Pages name a missing environment, so a failure is only logged here.
def _request_environment(script: Script) -> None:
    try:
        environments.request(script)
    except ValueError as error:  # a Python that is gone, a requirement that is refused by now
        logger.warning("restored script %s has no environment: %s", script.slug, error)
    script.refresh_from_db()


def _count(count: int, noun: str) -> str:
    if count == 1:
        return f"1 {noun}"
    return f"{count} {noun}s"
