"""What is due next after the clock was set back or a time zone got other rules: computed anew, with a row about it."""

import logging
import time
from collections import defaultdict
from collections.abc import Collection
from datetime import datetime

from django.db import transaction

from runs_app.models import Run
from runs_app.new_runs import new_runs
from runs_app.states import Reason, Status
from scripts_app.models import Schedule
from scripts_app.schedules import schedules
from scripts_app.timing import rule, zones
from scripts_app.timing.rule import TimingError

logger = logging.getLogger(__name__)

SET_BACK_S = 1.0  # less is the work of NTP, which slows the clock down
AT_START = "The clock was set back, or its time zone got other rules, while Tempo was away"
CLOCK_SET_BACK = "The clock was set back"
NEW_ZONE_RULES = "The rules of its time zone have changed"


class ClockWatch:
    """Notices that the clock was set back, by the one that counts from the start of the machine."""

    def __init__(self) -> None:
        self._ahead_s = _ahead_s()

    def was_set_back(self) -> bool:
        """Return whether it was since the last look."""
        before = self._ahead_s
        self._ahead_s = _ahead_s()
        return self._ahead_s < before - SET_BACK_S


def look_at_zones(*, now: datetime) -> None:
    """Take over the rules of time zones that were changed on the disk, as by an update of tzdata."""
    changed = zones.forget_changed()
    if changed:
        logger.warning("time zones got other rules: %s", ", ".join(changed))
        compute_anew(NEW_ZONE_RULES, now=now)


def compute_anew(why: str, *, now: datetime) -> int:
    """Set each alarm to come to what its schedule's rule says now; return how many were not. `why` begins their rows.

    A moment that has its row already is left out, and one that is due and not served yet stays as it is.
    """
    recorded = _recorded_ahead(now)
    changed = 0
    # Those that were put aside have a message, and no alarm until a person looks.
    rows = Schedule.objects.armed().filter(message="").exclude(kind=Schedule.Kind.STARTUP)
    for schedule in rows.select_related("script", "alarm"):
        try:
            if _moment_anew(schedule, recorded[schedule.pk], now):
                changed += _compute_anew(schedule.pk, recorded[schedule.pk], why, now)
        except TimingError:  # the ticker puts it aside when it is due
            logger.exception("schedule %s could not be computed anew", schedule.pk)
    return changed


def _moment_anew(
    schedule: Schedule, recorded: Collection[datetime], now: datetime
) -> datetime | None:
    # The next moment where the alarm holds another one; None when all is well.
    stored = schedule.next_at
    if stored is not None and stored <= now:
        return None
    schedules.bring_grid_back(schedule, now=now)
    due = rule.next_after(schedule.timing, now)
    while due is not None and due in recorded:
        due = rule.next_after(schedule.timing, due)
    if due == stored:
        return None
    return due


@transaction.atomic
def _compute_anew(pk: int, recorded: Collection[datetime], why: str, now: datetime) -> bool:
    # Read again within the write lock: the ticker or a person may have changed it meanwhile.
    schedule = Schedule.objects.armed().select_related("script", "alarm").filter(pk=pk).first()
    if schedule is None:
        return False
    stored = schedule.next_at
    due = _moment_anew(schedule, recorded, now)
    if due is None:
        return False
    schedule.save(update_fields=["anchor"])
    schedules.arm_at(schedule, due)
    _record(schedule, stored, due, why, now)
    return True


def _record(
    schedule: Schedule, stored: datetime | None, due: datetime, why: str, now: datetime
) -> None:
    before = "it had no next start"
    if stored is not None:
        before = f"its next start was {_local(schedule, stored)}"
    message = f"{why}: {before}, now it is {_local(schedule, due)}."
    logger.warning("schedule %s was computed anew: %s", schedule.pk, message)
    row = new_runs.row_without_run(
        schedule, Status.SKIPPED, reason=Reason.CLOCK, message=message, now=now
    )
    new_runs.queue([row])


def _local(schedule: Schedule, moment: datetime) -> str:
    return f"{moment.astimezone(rule.zone_of(schedule.timezone)):%Y-%m-%d %H:%M:%S %Z}"


def _recorded_ahead(now: datetime) -> dict[int, set[datetime]]:
    # Moments to come that have their row: from before the clock was set back. Hardly ever any.
    found: dict[int, set[datetime]] = defaultdict(set)
    # By schedule, as there is an index that begins with it.
    rows = Run.objects.filter(schedule__in=Schedule.objects.order_by(), due_at__gt=now)
    for schedule_id, due_at in rows.order_by().values_list("schedule_id", "due_at"):
        if schedule_id is not None and due_at is not None:
            found[schedule_id].add(due_at)
    return found


def _ahead_s() -> float:
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
