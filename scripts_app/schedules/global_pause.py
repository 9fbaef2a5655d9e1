"""The pause of all schedules: while it lasts no schedule fires; runs by hand go on."""

from datetime import datetime

from django.db import transaction

from scripts_app.models import Pause
from scripts_app.schedules.schedules import ring_on_commit
from scripts_app.timing.rule import TimingError
from tempo_site.audit import trail


def current_pause(now: datetime) -> Pause | None:
    pause = last_pause()
    if pause is None or not pause.is_open(now):
        return None
    return pause


def last_pause() -> Pause | None:
    """Return the last pause, over or not: the due moments inside may still have to be recorded."""
    return Pause.objects.first()


def pause_all(*, by: str, now: datetime, until: datetime | None = None) -> Pause:
    """Pause every schedule until a time or until further notice; a pause that holds gets the new end.

    Raise TimingError (field `until`) for a time that has passed.
    """
    if until is not None and until <= now:
        raise TimingError("until", "The pause would be over already: name a time to come")
    current = current_pause(now)
    since = current.since if current else now
    values = {"since": since, "until": until, "by": by}
    with transaction.atomic():
        pause, _ = Pause.objects.update_or_create(pk=1, defaults=values)
        trail.record("paused", kind="all schedules", changes={"until": until})
        ring_on_commit()
    return pause


def resume_all(*, by: str, now: datetime) -> Pause | None:
    """End and return the pause that holds; due moments inside are recorded as skipped. None without a pause."""
    pause = current_pause(now)
    if pause is None:
        return None
    pause.until = now
    pause.by = by
    with transaction.atomic():
        pause.save()
        trail.record("resumed", kind="all schedules")
        ring_on_commit()
    return pause
