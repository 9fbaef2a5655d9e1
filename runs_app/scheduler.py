"""The ticker: turns due alarms into runs, each due moment once, each alarm in a transaction of its own."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import OperationalError, transaction
from django_q.models import Schedule as Alarm

from runs_app import triggers
from runs_app.models import Run
from runs_app.states import Reason, Status, Trigger
from scripts_app import schedules, timing
from scripts_app.models import Schedule
from scripts_app.timing import Timing

logger = logging.getLogger(__name__)

LATE_IS_MISSED = timedelta(seconds=60)  # with missed=skip, a moment older than this is not served any more
MOST_RUNS_FOR_MISSED = 100  # with missed=all; older moments are recorded as missed, in one row


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What one look at a due alarm decides."""

    serve: datetime | None  # the moment that gets a run
    covers: int = 0  # moments before it that the same run stands for
    missed: int = 0  # moments recorded as missed, in one row ending at `missed_until`
    missed_until: datetime | None = None
    following: datetime | None  # the alarm's next moment


def next_alarm_at() -> datetime | None:
    """When the earliest alarm is due."""
    alarm = Alarm.objects.filter(cluster=schedules.CLUSTER).order_by("next_run").first()
    return alarm.next_run if alarm else None


def step(*, now: datetime) -> bool:
    """Serve the earliest due alarm; returns whether there was one."""
    alarm = Alarm.objects.filter(cluster=schedules.CLUSTER, next_run__lte=now).order_by("next_run", "pk").first()
    if alarm is None:
        return False
    try:
        with transaction.atomic():
            _serve(alarm.pk, now)
    except (OperationalError, OSError, MemoryError):
        raise  # says nothing about this schedule: the ticker looks again in a second
    except Exception as error:  # one bad schedule must not stop the others
        logger.exception("alarm %s could not be served, its schedule is put aside", alarm.pk)
        _put_aside(alarm.pk, error)
    return True


def at_start(*, service_started_at: datetime, now: datetime) -> None:
    """Run what is to run at start-up, once for each start of the service (not of `web` alone)."""
    for schedule in Schedule.objects.armed().filter(kind=Schedule.Kind.STARTUP).select_related("script"):
        try:
            with transaction.atomic():
                _start(schedule, service_started_at, Trigger.STARTUP, now)
        except Exception:  # the others and the service itself must start
            logger.exception("start-up schedule %s could not be served", schedule.pk)


def _serve(alarm_pk: int, now: datetime) -> None:
    schedule = (
        Schedule.objects.armed().select_related("alarm", "script").filter(alarm_id=alarm_pk).first()
    )  # read within the write lock: nobody edits it between this and the new alarm
    if schedule is None or schedule.alarm is None:  # deleted, or disabled a moment ago
        Alarm.objects.filter(pk=alarm_pk).delete()
        return
    due = schedule.alarm.next_run
    if due is None or due > now:
        return
    decided = turn(schedule.timing, schedule.missed, due=due, now=now)
    if decided.missed:
        _record_missed(schedule, decided, first=due, now=now)
    if decided.serve:
        _start(schedule, decided.serve, Trigger.SCHEDULE, now, covers=decided.covers, since=due)
    _move_alarm(schedule, decided.following)


def turn(when: Timing, policy: str, *, due: datetime, now: datetime) -> Turn:
    """Decide what happens at `now` to the moments from `due` on. A gap is counted, never walked."""
    last = max(timing.last_at_or_before(when, now) or due, due)
    count = 1 + timing.count_between(when, due, last)
    if policy == Schedule.Missed.ALL:
        return _turn_all(when, due, last, count)
    following = timing.next_after(when, last)
    if policy == Schedule.Missed.ONCE:
        return Turn(serve=last, covers=count - 1, following=following)
    if now - last > LATE_IS_MISSED:
        return Turn(serve=None, missed=count, missed_until=last, following=following)
    if count == 1:
        return Turn(serve=last, following=following)
    return Turn(serve=last, missed=count - 1, missed_until=_before(when, last), following=following)


def _turn_all(when: Timing, due: datetime, last: datetime, count: int) -> Turn:
    """A run for each, one a step, so that each gets a transaction of its own; the oldest of too many are recorded."""
    if count <= MOST_RUNS_FOR_MISSED:
        return Turn(serve=due, following=timing.next_after(when, due))
    early, late = due, last
    while late - early > timedelta(seconds=1):  # find where the last hundred begin
        middle = early + (late - early) / 2
        if timing.count_between(when, middle, last) >= MOST_RUNS_FOR_MISSED:
            early = middle
        else:
            late = middle
    until = timing.last_at_or_before(when, early) or due
    missed = 1 + timing.count_between(when, due, until)
    return Turn(serve=None, missed=missed, missed_until=until, following=timing.next_after(when, until))


def _before(when: Timing, moment: datetime) -> datetime:
    found = timing.last_at_or_before(when, moment - timedelta(microseconds=1))
    assert found is not None  # only asked when there are earlier moments
    return found


def _start(
    schedule: Schedule,
    due: datetime,
    trigger: Trigger,
    now: datetime,
    *,
    covers: int = 0,
    since: datetime | None = None,
) -> None:
    """A run for a due moment, or the row that says why there is none."""
    if Run.objects.filter(schedule=schedule, due_at=due).exists():
        return  # served before the clock was set back
    facts: dict[str, Any] = {"due_at": due, "missed_count": covers, "missed_since": since if covers else None}
    if schedule.overlap == Schedule.Overlap.SKIP and Run.objects.filter(script=schedule.script).active().exists():
        triggers.record(schedule, Status.SKIPPED, reason=Reason.OVERLAP, created_at=now, **facts)
        return
    try:
        triggers.start(schedule.script, trigger=trigger, by="", schedule=schedule, now=now, **facts)
    except triggers.Refused as refusal:
        triggers.record(schedule, Status.SKIPPED, reason=refusal.reason, message=str(refusal), created_at=now, **facts)


def _record_missed(schedule: Schedule, decided: Turn, *, first: datetime, now: datetime) -> None:
    if Run.objects.filter(schedule=schedule, due_at=decided.missed_until).exists():
        return
    triggers.record(
        schedule,
        Status.MISSED,
        reason=Reason.SERVICE_DOWN,
        message=f"{decided.missed} due moment{'s' if decided.missed > 1 else ''} passed while the service was away.",
        due_at=decided.missed_until,
        missed_count=decided.missed - 1,
        missed_since=first,
        created_at=now,
    )


def _move_alarm(schedule: Schedule, following: datetime | None) -> None:
    if following is None:
        Alarm.objects.filter(pk=schedule.alarm_id).delete()
    else:
        Alarm.objects.filter(pk=schedule.alarm_id).update(next_run=following)


def _put_aside(alarm_pk: int, error: Exception) -> None:
    message = f"Put aside: {error}"[:500]
    with transaction.atomic():
        Schedule.objects.filter(alarm_id=alarm_pk).update(message=message)
        Alarm.objects.filter(pk=alarm_pk).delete()
