"""System users for scripts: assigned from the pool at the first run of a script, and never used for another."""

import logging

from django.conf import settings
from django.db import IntegrityError, transaction

from scripts_app.models import Script

logger = logging.getLogger(__name__)

BY_CHOICE = "this script is set to run as Tempo's own user"
USED_UP = "every user of the pool PYSCHED_SCRIPT_USERS belongs to a script already"


def assign(script: Script) -> tuple[int | None, str]:
    """Return the user of a script, stored at the first run; or None and the reason."""
    if script.as_service_user:
        return None, BY_CHOICE
    # Users outside the pool are not accepted: the pool may have changed since.
    if script.uid not in settings.SCRIPT_USERS:
        script.refresh_from_db(fields=["uid"])  # a parallel run may have been the first
    if script.uid in settings.SCRIPT_USERS or _assign_free(script):
        return script.uid, ""
    return None, USED_UP


def builder() -> tuple[int | None, str]:
    """Return the user of builds from source, the last one of the pool; or None and the reason."""
    uid = settings.SCRIPT_USERS[-1]
    if Script.objects.filter(uid=uid).exists():  # given away before builds had a user
        return None, "the last user of the pool PYSCHED_SCRIPT_USERS belongs to a script"
    return uid, ""


def _assign_free(script: Script) -> bool:
    # The primary key chooses the user, as primary keys are never used again; after that the next free user.
    first = settings.SCRIPT_USERS[0] + script.pk - 1
    others = Script.objects.filter(uid__gte=first).exclude(pk=script.pk)
    taken = set(others.values_list("uid", flat=True))
    candidates = range(first, settings.SCRIPT_USERS[-1])
    return any(_store(script, uid) for uid in candidates if uid not in taken)


def _store(script: Script, uid: int) -> bool:
    try:
        with transaction.atomic():
            Script.objects.filter(pk=script.pk).update(uid=uid)
    except IntegrityError:  # another script was faster
        return False
    script.uid = uid
    # Whether a run gets it is the launcher's to say: it needs the rights for that.
    logger.info("user %s is kept for script %s", uid, script.slug)
    return True
