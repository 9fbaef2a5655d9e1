"""Deleted scripts: brought back for 30 days, emptied after that; and deleting a folder with all that is in it."""

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

logger = logging.getLogger(__name__)

KEPT = timedelta(days=30)


def restore(script: Script, *, now: datetime) -> Script:
    """Bring a deleted script back into its folder, as it was; its schedules fire again, unless it is disabled.

    Raises ScriptError when it was emptied meanwhile. One that is present stays as it is.
    """
    with transaction.atomic():
        script.refresh_from_db()
        if script.deleted_at is None:
            return script
        if script.purged_at is not None:
            raise ScriptError(
                f"`{script.slug}` was deleted for good and cannot be restored", field="script"
            )
        script.folder = folders.ensure(script.deleted_from)
        script.deleted_at, script.deleted_from = None, ""
        script.save(update_fields=["folder", "deleted_at", "deleted_from", "updated_at"])
        schedules.rearm(script, now=now)
    _ask_for_environment(script)
    return script


def ends_at(script: Script) -> datetime | None:
    if script.deleted_at:
        return script.deleted_at + KEPT
    return None


def delete_folder(folder: Folder, *, now: datetime, confirm: str = "") -> int:
    """Delete a folder with the folders below it and the scripts in all of them; returns how many scripts.

    One that holds anything goes only when `confirm` is its path, or ScriptError is raised.
    """
    with transaction.atomic():
        found = list(folders.scripts_in(folder))
        rows = Folder.objects.filter(folders.within(folder.path, field="path"))
        below = rows.count() - 1
        if (found or below) and confirm != folder.path:
            raise ScriptError(
                f"`{folder.path}` holds {_number(len(found), 'script')} and {_number(below, 'folder')}.\n"
                "hint: move them first, or confirm with its path that all of it is to be deleted",
                field="confirm",
            )
        for script in found:
            scripts.delete(script, now=now)
        for (
            row
        ) in rows:  # rows of a Tempo before this one: scripts that were deleted and lie in it still
            row.scripts.update(deleted_from=row.path, folder=None)
        rows.delete()
    return len(found)


def claim_expired(now: datetime) -> list[Script]:
    """Take the scripts that were deleted 30 days ago: nobody restores them from now on. Their folders may go."""
    expired = Script.objects.restorable().filter(deleted_at__lt=now - KEPT)
    return [
        script
        for script in expired
        if Script.objects.restorable().filter(pk=script.pk).update(purged_at=now)
    ]


def claimed() -> QuerySet[Script]:
    """The scripts that were taken; a folder of one of them that is there still was too stubborn at the time."""
    return Script.objects.filter(purged_at__isnull=False)


def empty(*, ran: QuerySet[Any, Any]) -> int:
    """Delete what scripts that were taken leave: texts, variables, schedules. Returns how many versions went.

    `ran` gives the versions that a run in the history belongs to, and no NULL: they go with those. The rows of the
    scripts stay: runs bear their names, and neither their slugs nor their users are ever given to another.
    """
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


# The row of its environment may be gone since; what cannot be asked for is said where it is missing.
def _ask_for_environment(script: Script) -> None:
    try:
        environments.request(script)
    except ValueError as error:  # a Python that is gone, a requirement that is refused by now
        logger.warning("restored script %s has no environment: %s", script.slug, error)
    script.refresh_from_db()


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
