"""The ticker: turns due alarms into runs, each due moment once; alarms that ring together share a transaction."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db import OperationalError, transaction
from django.db.models import QuerySet
from django_q.models import Schedule as Alarm

from runs_app.models import Run
from runs_app.scheduler import due_moments as scheduler_due_moments
from runs_app.scheduler.due_moments import DueMoment
from runs_app.states import Reason, Status, Trigger
from runs_app.triggers import retries
from scripts_app.models import Pause, Schedule
from scripts_app.schedules import global_pause, schedules
from scripts_app.schedules.outlook import LATE_IS_MISSED
from scripts_app.timing import rule
from scripts_app.timing.rule import Timing, TimingError

logger = logging.getLogger(__name__)

PAUSED = (Status.SKIPPED, Reason.PAUSED, "Its schedule was paused.")
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True)
class TickDecision:
    """What one look at a due alarm decides."""

    serve: datetime | None  # the moment that gets a run
    coalesced: int = 0  # moments before it that the same run stands for
    missed: int = 0  # moments recorded as missed, in one row ending at `missed_until`
    missed_until: datetime | None = None
    following: datetime | None  # the alarm's next moment


def next_moment_at(*, now: datetime) -> datetime | None:
    """When there is something to do: the earliest alarm that may ring, or retry; in a pause of everything, its end."""
    if pause := global_pause.current_pause(now):
        return pause.until
    alarm: datetime | None = (
        _may_ring(now).order_by("next_run").values_list("next_run", flat=True).first()
    )
    return min(filter(None, (alarm, retries.next_at(now))), default=None)


def step(*, now: datetime, at_most: int = 1) -> bool:
    """Serve the earliest due alarms, at most so many; returns whether there were any. In a pause of everything none.

    They are read within the write lock, in one transaction with what comes of them: nobody edits a schedule between
    this and its new alarm.
    """
    alarms: list[Alarm] = []
    try:
        with transaction.atomic():
            pause = global_pause.last_pause()
            if pause is None or not pause.is_open(now):
                alarms += _due(now)[:at_most]
                _serve(alarms, pause, now)
    except (OperationalError, OSError, MemoryError):
        raise  # says nothing about a schedule: the ticker looks again in a second
    except Exception as error:  # one bad schedule must not stop the others
        if len(alarms) > 1:
            return step(now=now)  # alone, so that the others do not share its fate
        if not alarms:
            raise
        logger.exception("alarm %s could not be served, its schedule is put aside", alarms[0].pk)
        _suspend(alarms[0].pk, error)
    return bool(alarms)


def at_start(*, service_started_at: datetime, now: datetime) -> None:
    """Run what is to run at start-up, once for each start of the service (not of `web` alone).

    A schedule whose time zone has gone from the system is put aside now, and not only when it is due.
    """
    _put_aside_unknown_zones()
    for schedule in (
        Schedule.objects.armed().filter(kind=Schedule.Kind.STARTUP).select_related("script")
    ):
        try:
            with transaction.atomic():
                _start_up(schedule, service_started_at + timedelta(seconds=schedule.delay_s), now)
        except Exception:  # the others and the service itself must start
            logger.exception("start-up schedule %s could not be served", schedule.pk)


def _may_ring(now: datetime) -> QuerySet[Alarm]:
    """The alarms of schedules that are not paused; those of the others wait for the end of the pause."""
    paused = Schedule.objects.filter(paused_until__gt=now, alarm__isnull=False).values("alarm")
    ringing: QuerySet[Alarm] = Alarm.objects.filter(cluster=schedules.CLUSTER).exclude(
        pk__in=paused
    )
    return ringing


def _due(now: datetime) -> QuerySet[Alarm]:
    due = _may_ring(now).filter(next_run__lte=now).order_by("next_run", "pk")
    related = due.select_related("schedule__script__version")
    return related.defer(
        "schedule__script__version__code", "schedule__script__version__requirements"
    )


def _start_up(schedule: Schedule, due: datetime, now: datetime) -> None:
    """Now, or at an alarm of its own when it is put off; once for a start of the service, as its moment is the same."""
    moment = DueMoment(schedule=schedule, due_at=due, trigger=Trigger.STARTUP)
    if (
        schedule.delay_s
        and due > now
        and not Run.objects.filter(schedule=schedule, due_at=due).exists()
    ):
        schedules.arm_at(schedule, due)
    else:
        scheduler_due_moments.record(
            [replace(moment, verdict=PAUSED) if _is_paused(schedule, now) else moment], now=now
        )


def _is_paused(schedule: Schedule, now: datetime) -> bool:
    return schedule.is_paused(now) or global_pause.current_pause(now) is not None


def _serve(alarms: Sequence[Alarm], pause: Pause | None, now: datetime) -> None:
    """Decide what comes of these alarms' moments, record it, and set the alarms to what follows.

    As one after the other: it ends before a second schedule of a script, whose overlap is a matter of what the first
    one starts, and before an alarm that comes behind the next moment of one of those before it.
    """
    due_moments: list[DueMoment] = []
    following: dict[int, datetime | None] = {}
    scripts: set[int] = set()
    for alarm in alarms:
        schedule = getattr(alarm, "schedule", None)
        if schedule is None or not schedules.may_fire(
            schedule
        ):  # deleted, or disabled a moment ago
            following[alarm.pk] = None
            continue
        comes_first = min(filter(None, following.values()), default=alarm.next_run + _TICK)
        if schedule.script_id in scripts or comes_first <= alarm.next_run:
            break
        scripts.add(schedule.script_id)
        found, following[alarm.pk] = _moments_of(schedule, alarm.next_run, pause, now)
        due_moments += found
    scheduler_due_moments.record(due_moments, now=now)
    _move_alarms(following)


def _moments_of(
    schedule: Schedule, due: datetime | None, pause: Pause | None, now: datetime
) -> tuple[list[DueMoment], datetime | None]:
    """What is to be recorded of the moments from `due` up to now, in their order, and the first one behind them."""
    pauses_begun = [(since, until) for since, until in _pauses(schedule, pause) if since <= now]
    found, due = _in_pauses(schedule, due, pauses_begun)
    if due is None or due > now:
        return found, due
    # What was due before a pause and could not be served is not part of what was due behind it: that takes a step more.
    until = min((since - _TICK for since, _ in pauses_begun if since > due), default=now)
    decided = turn(
        schedule.timing, schedule.missed, due=due, now=now, until=until, cap=schedule.missed_cap
    )
    if decided.missed:
        found.append(_missed(schedule, decided, first=due))
    if decided.serve:
        is_startup = schedule.kind == Schedule.Kind.STARTUP
        moment = DueMoment(
            schedule=schedule,
            due_at=decided.serve,
            trigger=Trigger.STARTUP if is_startup else Trigger.SCHEDULE,
            coalesced=decided.coalesced,
            since=due,
            is_backlog=schedule.missed == Schedule.Missed.ALL and _is_behind(decided, now),
        )
        found.append(moment)
    return found, decided.following


def _is_behind(decided: TickDecision, now: datetime) -> bool:
    """Whether a moment is served long after it was due, or when the next one is due as well."""
    is_followed = decided.following is not None and decided.following <= now
    return is_followed or (decided.serve is not None and now - decided.serve > LATE_IS_MISSED)


def _pauses(schedule: Schedule, everything: Pause | None) -> list[tuple[datetime, datetime]]:
    """(since, until) of the last pause of a schedule and of the last one of everything, in their order."""
    both = (
        (schedule.paused_at, schedule.paused_until),
        (everything and everything.since, everything and everything.until),
    )
    return sorted((since, until) for since, until in both if since and until)


def _in_pauses(
    schedule: Schedule, due: datetime | None, pauses_begun: Sequence[tuple[datetime, datetime]]
) -> tuple[list[DueMoment], datetime | None]:
    """What was due in pauses that are over, a moment for each of these that stands for all; the first one behind."""
    found = []
    for since, until in pauses_begun:
        if due is not None and since <= due < until:
            moment, due = _paused(schedule, due, until)
            found.append(moment)
    return found, due


def _paused(
    schedule: Schedule, due: datetime, until: datetime
) -> tuple[DueMoment, datetime | None]:
    """The last moment of a pause, for all from `due` on; and the first one behind the pause."""
    when = schedule.timing
    last = max(rule.last_at_or_before(when, until - _TICK) or due, due)
    coalesced = rule.count_between(when, due, last)
    moment = DueMoment(
        schedule=schedule, due_at=last, coalesced=coalesced, since=due, verdict=PAUSED
    )
    return moment, rule.next_after(when, until - _TICK)


def turn(
    when: Timing,
    policy: str,
    *,
    due: datetime,
    now: datetime,
    until: datetime | None = None,
    cap: int = 10,
) -> TickDecision:
    """Decide what happens at `now` to the moments from `due` to `until` (now). A gap is counted, never walked."""
    last = max(rule.last_at_or_before(when, until or now) or due, due)
    count = 1 + rule.count_between(when, due, last)
    if policy == Schedule.Missed.ALL:
        return _turn_all(when, due, last, count, cap)
    following = rule.next_after(when, last)
    if policy == Schedule.Missed.ONCE:
        return TickDecision(serve=last, coalesced=count - 1, following=following)
    if now - last > LATE_IS_MISSED:
        return TickDecision(serve=None, missed=count, missed_until=last, following=following)
    if count == 1:
        return TickDecision(serve=last, following=following)
    return TickDecision(
        serve=last, missed=count - 1, missed_until=_before(when, last), following=following
    )


def _turn_all(when: Timing, due: datetime, last: datetime, count: int, cap: int) -> TickDecision:
    """A run for each, one a step, so that each gets a transaction of its own; the oldest of too many are recorded."""
    if count <= cap:
        return TickDecision(serve=due, following=rule.next_after(when, due))
    early, late = due, last
    while late - early > timedelta(seconds=1):  # find where the last of them begin
        middle = early + (late - early) / 2
        if rule.count_between(when, middle, last) >= cap:
            early = middle
        else:
            late = middle
    until = rule.last_at_or_before(when, early) or due
    missed = 1 + rule.count_between(when, due, until)
    return TickDecision(
        serve=None, missed=missed, missed_until=until, following=rule.next_after(when, until)
    )


def _before(when: Timing, moment: datetime) -> datetime:
    found = rule.last_at_or_before(when, moment - _TICK)
    assert found is not None  # only asked when there are earlier moments
    return found


def _missed(schedule: Schedule, decided: TickDecision, *, first: datetime) -> DueMoment:
    assert decided.missed_until
    passed = f"{decided.missed} due moment{'s' if decided.missed > 1 else ''}"
    return DueMoment(
        schedule=schedule,
        due_at=decided.missed_until,
        coalesced=decided.missed - 1,
        since=first,
        verdict=(
            Status.MISSED,
            Reason.SERVICE_DOWN,
            f"{passed} passed while the service was away.",
        ),
    )


def _move_alarms(following: dict[int, datetime | None]) -> None:
    """Set alarms to their next moments, those with the same one together; without one they go."""
    for moment in dict.fromkeys(following.values()):
        alarms = Alarm.objects.filter(
            pk__in=[pk for pk, next_run in following.items() if next_run == moment]
        )
        if moment is None:
            alarms.delete()
        else:
            alarms.update(next_run=moment)


def _put_aside_unknown_zones() -> None:
    armed = Schedule.objects.armed().filter(alarm__isnull=False)
    for name in armed.order_by().values_list("timezone", flat=True).distinct():
        try:
            rule.zone_of(name)
        except TimingError as error:
            logger.error("time zone %s is not known any more, its schedules are put aside", name)
            for alarm_pk in armed.filter(timezone=name).values_list("alarm_id", flat=True):
                _suspend(alarm_pk, error)


def _suspend(alarm_pk: int, error: Exception) -> None:
    message = f"Put aside: {error}"[:500]
    with transaction.atomic():
        Schedule.objects.filter(alarm_id=alarm_pk).update(message=message)
        Alarm.objects.filter(pk=alarm_pk).delete()
