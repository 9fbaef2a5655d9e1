"""What a restored database needs before its first start: nothing goes on that was going on when the backup was made."""

from dataclasses import replace
from datetime import datetime

from django.db import transaction

from tempo_site.audit import trail
from tempo_site.backups import holds
from tempo_site.backups.signals import restored


def adapt(*, now: datetime) -> bool:
    """Bring the rows in line with the restore, once, in one transaction; return whether there was one.

    Repeated after a crash: every receiver may be called again.
    """
    hold = holds.current()
    if hold is None or hold.is_adapted:
        return False
    with transaction.atomic():
        restored.send(None, now=now)
        trail.record("restored", kind="Tempo", name=hold.backup)
    holds.store(replace(hold, is_adapted=True))
    return True
