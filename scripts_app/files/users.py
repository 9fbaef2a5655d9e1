"""Users for scripts: each script has one of its own, taken from the pool at its first run and never given again."""

import logging

from django.conf import settings
from django.db import IntegrityError, transaction

from scripts_app.models import Script

logger = logging.getLogger(__name__)

BY_CHOICE = "this script is set to run as Tempo's own user"
USED_UP = "every user of the pool PYSCHED_SCRIPT_USERS belongs to a script already"


def assign(script: Script) -> tuple[int | None, str]:
    """Return the user a script runs as, storing it at the first time; or None and the reason why it has none."""
    if script.as_service_user:
        return None, BY_CHOICE
    # the first time, or the pool was changed: no other is accepted
    if script.uid not in settings.SCRIPT_USERS:
        script.refresh_from_db(fields=["uid"])  # another run of it may have been the first
    if script.uid in settings.SCRIPT_USERS or _give(script):
        return script.uid, ""
    return None, USED_UP


def _give(script: Script) -> bool:
    """Take the user that the script's number names, as numbers are never used again; else the next one above."""
    candidate = settings.SCRIPT_USERS[0] + script.pk - 1
    others = Script.objects.filter(uid__gte=candidate).exclude(pk=script.pk)
    taken = set(others.values_list("uid", flat=True))
    return any(
        uid not in taken and _take(script, uid)
        for uid in range(candidate, settings.SCRIPT_USERS[-1] + 1)
    )


def _take(script: Script, uid: int) -> bool:
    """Store it; False when another script was faster."""
    try:
        with transaction.atomic():
            Script.objects.filter(pk=script.pk).update(uid=uid)
    except IntegrityError:
        return False
    script.uid = uid
    logger.info("script %s has user %s from now on", script.slug, uid)
    return True
