"""The pause of everything: while it lasts no schedule fires; runs by hand go on."""

from datetime import datetime

from scripts_app.models import Pause
from scripts_app.schedules.schedules import ring_on_commit
from scripts_app.timing.rule import TimingError


def current_pause(now: datetime) -> Pause | None:
    pause = last_pause()
    if pause is not None and pause.is_open(now):
        return pause
    return None


def last_pause() -> Pause | None:
    """The last pause there was, over or not: what it kept from firing may still have to be recorded."""
    return Pause.objects.first()


def pause_all(*, by: str, now: datetime, until: datetime | None = None) -> Pause:
    """Pause every schedule, until a moment or until further notice; one that holds gets the new end.

    Raises TimingError (field `until`) for a moment that has passed.
    """
    if until is not None and until <= now:
        raise TimingError("until", "the pause would be over already: name a moment to come")
    open_one = current_pause(now)
    since = open_one.since if open_one else now
    pause, _ = Pause.objects.update_or_create(
        pk=1, defaults={"since": since, "until": until, "by": by}
    )
    ring_on_commit()
    return pause


def resume_all(*, by: str, now: datetime) -> Pause | None:
    """End the pause that holds; what was due meanwhile is recorded as skipped. None when there was none."""
    pause = current_pause(now)
    if pause is not None:
        pause.until, pause.by = now, by
        pause.save()
        ring_on_commit()
    return pause
