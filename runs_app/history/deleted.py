"""Scripts that were deleted 30 days ago: their folders go, then their texts, variables and schedules.

Their rows stay, and so do the versions that a run in the history belongs to: a version goes by a later turn.
"""

import logging
from datetime import datetime

from runs_app import launcher_client
from runs_app.models import Run
from scripts_app import deletion
from scripts_app.models import Script
from tempo_site.lib import paths

logger = logging.getLogger(__name__)


def purge(*, now: datetime) -> int:
    """Empty every script whose time has come; return how many folders went. A folder that resists is tried again."""
    for script in deletion.claim_expired(now):
        logger.info("script %s is deleted for good deleted_at=%s", script.slug, script.deleted_at)
    count = 0
    for script in deletion.claimed().only("pk", "slug"):
        if paths.script(script.slug).exists() and _remove(script):
            count += 1
    deletion.empty(ran=Run.objects.exclude(version=None).values("version"))
    return count


def _remove(script: Script) -> bool:
    # The launcher removes the folder: its files may belong to the script's own user.
    if Run.objects.active().filter(script=script).exists():
        return False
    try:
        launcher_client.launcher.remove_script(script.slug)
    except launcher_client.LauncherError as error:
        logger.warning("the folder of script %s could not be removed: %s", script.slug, error)
        return False
    return True
