"""The ticker: turns due alarms into runs, each due moment once, each alarm in a transaction of its own."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import OperationalError, transaction
from django.db.models import QuerySet
from django_q.models import Schedule as Alarm

from runs_app import execution, retries, triggers
from runs_app.models import Run
from runs_app.states import Reason, Status, Trigger
from scripts_app import pauses, schedules, timing
from scripts_app.models import Schedule
from scripts_app.timing import Timing, TimingError

logger = logging.getLogger(__name__)

LATE_IS_MISSED = timedelta(seconds=60)  # with missed=skip, a moment older than this is not served any more
STALE_PERIODS = 3  # so many moments without a success are a fact worth keeping
PAUSED = "Skipped: its schedule was paused."
BY_REPLACING = "schedule"  # whoever is cancelled for a newer run
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What one look at a due alarm decides."""

    serve: datetime | None  # the moment that gets a run
    covers: int = 0  # moments before it that the same run stands for
    missed: int = 0  # moments recorded as missed, in one row ending at `missed_until`
    missed_until: datetime | None = None
    following: datetime | None  # the alarm's next moment


def next_alarm_at(*, now: datetime) -> datetime | None:
    """When there is something to do: the earliest alarm that may ring; in a pause of everything, its end."""
    if pause := pauses.current(now):
        return pause.until
    alarm = _may_ring(now).order_by("next_run").first()
    return alarm.next_run if alarm else None


def step(*, now: datetime) -> bool:
    """Serve the earliest due alarm; returns whether there was one. In a pause of everything there is none."""
    if pauses.current(now):
        return False
    alarm = _may_ring(now).filter(next_run__lte=now).order_by("next_run", "pk").first()
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
    """Run what is to run at start-up, once for each start of the service (not of `web` alone).

    A schedule whose time zone has gone from the system is put aside now, and not only when it is due.
    """
    _put_aside_unknown_zones()
    for schedule in Schedule.objects.armed().filter(kind=Schedule.Kind.STARTUP).select_related("script"):
        try:
            with transaction.atomic():
                _start_up(schedule, service_started_at + timedelta(seconds=schedule.delay_s), now)
        except Exception:  # the others and the service itself must start
            logger.exception("start-up schedule %s could not be served", schedule.pk)


def _may_ring(now: datetime) -> QuerySet[Alarm]:
    """The alarms of schedules that are not paused; those of the others wait for the end of the pause."""
    paused = Schedule.objects.filter(paused_until__gt=now, alarm__isnull=False).values("alarm")
    ringing: QuerySet[Alarm] = Alarm.objects.filter(cluster=schedules.CLUSTER).exclude(pk__in=paused)
    return ringing


def _start_up(schedule: Schedule, due: datetime, now: datetime) -> None:
    """Now, or at an alarm of its own when it is put off; once for a start of the service, as its moment is the same."""
    if schedule.delay_s and due > now and not Run.objects.filter(schedule=schedule, due_at=due).exists():
        schedules.arm_at(schedule, due)
    elif _is_paused(schedule, now):
        triggers.record(schedule, Status.SKIPPED, reason=Reason.PAUSED, message=PAUSED, created_at=now, due_at=due)
    else:
        _start(schedule, due, Trigger.STARTUP, now)


def _is_paused(schedule: Schedule, now: datetime) -> bool:
    return bool(pauses.current(now)) or (schedule.paused_until is not None and schedule.paused_until > now)


def _serve(alarm_pk: int, now: datetime) -> None:
    schedule = (
        Schedule.objects.armed().select_related("alarm", "script").filter(alarm_id=alarm_pk).first()
    )  # read within the write lock: nobody edits it between this and the new alarm
    if schedule is None or schedule.alarm is None:  # deleted, or disabled a moment ago
        Alarm.objects.filter(pk=alarm_pk).delete()
        return
    due = _after_pauses(schedule, schedule.alarm.next_run, now)
    if due is None or due > now:
        _move_alarm(schedule, due)
        return
    decided = turn(schedule.timing, schedule.missed, due=due, now=now, cap=schedule.missed_cap)
    if decided.missed:
        _record_missed(schedule, decided, first=due, now=now)
    if decided.serve:
        trigger = Trigger.STARTUP if schedule.kind == Schedule.Kind.STARTUP else Trigger.SCHEDULE
        is_owed = schedule.missed == Schedule.Missed.ALL and _is_behind(decided, now)
        _start(schedule, decided.serve, trigger, now, covers=decided.covers, since=due, is_owed=is_owed)
    _move_alarm(schedule, decided.following)


def _is_behind(decided: Turn, now: datetime) -> bool:
    """Whether a moment is served long after it was due, or when the next one is due as well."""
    is_followed = decided.following is not None and decided.following <= now
    return is_followed or (decided.serve is not None and now - decided.serve > LATE_IS_MISSED)


def _after_pauses(schedule: Schedule, due: datetime | None, now: datetime) -> datetime | None:
    """Record what was due in pauses that are over, one row for each; the first moment behind them."""
    everything = pauses.last()
    for since, until in sorted(
        (since, until)
        for since, until in (
            (schedule.paused_at, schedule.paused_until),
            (everything.since, everything.until) if everything else (None, None),
        )
        if since and until
    ):
        if due is not None and since <= due < until:
            due = _record_paused(schedule, due, until, now)
    return due


def _record_paused(schedule: Schedule, due: datetime, until: datetime, now: datetime) -> datetime | None:
    """One row for the moments from `due` to the end of a pause; the first one behind it."""
    when = schedule.timing
    last = max(timing.last_at_or_before(when, until - _TICK) or due, due)
    count = 1 + timing.count_between(when, due, last)
    if not Run.objects.filter(schedule=schedule, due_at=last).exists():
        gap = {"missed_count": count - 1, "missed_since": due if count > 1 else None}
        triggers.record(
            schedule, Status.SKIPPED, reason=Reason.PAUSED, message=PAUSED, created_at=now, due_at=last, **gap
        )
    return timing.next_after(when, until - _TICK)


def turn(when: Timing, policy: str, *, due: datetime, now: datetime, cap: int = 10) -> Turn:
    """Decide what happens at `now` to the moments from `due` on. A gap is counted, never walked."""
    last = max(timing.last_at_or_before(when, now) or due, due)
    count = 1 + timing.count_between(when, due, last)
    if policy == Schedule.Missed.ALL:
        return _turn_all(when, due, last, count, cap)
    following = timing.next_after(when, last)
    if policy == Schedule.Missed.ONCE:
        return Turn(serve=last, covers=count - 1, following=following)
    if now - last > LATE_IS_MISSED:
        return Turn(serve=None, missed=count, missed_until=last, following=following)
    if count == 1:
        return Turn(serve=last, following=following)
    return Turn(serve=last, missed=count - 1, missed_until=_before(when, last), following=following)


def _turn_all(when: Timing, due: datetime, last: datetime, count: int, cap: int) -> Turn:
    """A run for each, one a step, so that each gets a transaction of its own; the oldest of too many are recorded."""
    if count <= cap:
        return Turn(serve=due, following=timing.next_after(when, due))
    early, late = due, last
    while late - early > timedelta(seconds=1):  # find where the last of them begin
        middle = early + (late - early) / 2
        if timing.count_between(when, middle, last) >= cap:
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
    is_owed: bool = False,
) -> None:
    """A run for a due moment, or the row that says why there is none.

    What is owed (missed=all) is not lost to the overlap with what else is owed: it waits for its turn.
    """
    if Run.objects.filter(schedule=schedule, due_at=due).exists():
        return  # served before the clock was set back
    facts: dict[str, Any] = {"due_at": due, "missed_count": covers, "missed_since": since if covers else None}
    _note_staleness(schedule, due)
    retries.supersede(schedule, now=now)
    if not is_owed and (why := _why_not(schedule, now)):
        triggers.record(schedule, Status.SKIPPED, reason=Reason.OVERLAP, message=why, created_at=now, **facts)
        return
    try:
        triggers.start(schedule.script, trigger=trigger, by="", schedule=schedule, now=now, **facts)
    except triggers.Refused as refusal:
        triggers.record(schedule, Status.SKIPPED, reason=refusal.reason, message=str(refusal), created_at=now, **facts)


def _why_not(schedule: Schedule, now: datetime) -> str:
    """What the runs that are there already mean for another one: a sentence when there will be none."""
    active = list(Run.objects.filter(script=schedule.script).active().only("pk", "status"))
    if not active or schedule.overlap == Schedule.Overlap.REPLACE:
        for run in active:
            execution.ask_to_cancel(run, by=BY_REPLACING, now=now)
        return ""
    if schedule.overlap == Schedule.Overlap.QUEUE_ONE:
        waiting = [run for run in active if run.status == Status.QUEUED]
        return f"Skipped: run #{waiting[0].pk} waits for its turn already." if waiting else ""
    if schedule.overlap == Schedule.Overlap.PARALLEL:
        most = schedule.max_parallel
        return f"Skipped: {len(active)} runs were still going, the most allowed." if len(active) >= most else ""
    return f"Skipped: run #{active[0].pk} was still going."


def _note_staleness(schedule: Schedule, due: datetime) -> None:
    """Keep since when a schedule has gone too many moments without a success."""
    if schedule.stale_since is not None:
        return
    since = schedule.last_success_at or schedule.created_at
    if timing.count_between(schedule.timing, since, due) > STALE_PERIODS:  # the moment at hand has had no chance yet
        Schedule.objects.filter(pk=schedule.pk).update(stale_since=due)


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


def _put_aside_unknown_zones() -> None:
    armed = Schedule.objects.armed().filter(alarm__isnull=False)
    for name in armed.order_by().values_list("timezone", flat=True).distinct():
        try:
            timing.zone_of(name)
        except TimingError as error:
            logger.error("time zone %s is not known any more, its schedules are put aside", name)
            for alarm_pk in armed.filter(timezone=name).values_list("alarm_id", flat=True):
                _put_aside(alarm_pk, error)


def _put_aside(alarm_pk: int, error: Exception) -> None:
    message = f"Put aside: {error}"[:500]
    with transaction.atomic():
        Schedule.objects.filter(alarm_id=alarm_pk).update(message=message)
        Alarm.objects.filter(pk=alarm_pk).delete()
