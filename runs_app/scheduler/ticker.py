"""The ticker: turns due alarms into runs, each due moment once; alarms that ring together share a transaction."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import OperationalError, transaction
from django_q.models import Schedule as Alarm

from runs_app import hot_statements
from runs_app.models import Run
from runs_app.scheduler import clock_changes, due_alarms, due_moments, missed_moments
from runs_app.scheduler.due_moments import DueMoment
from runs_app.scheduler.missed_moments import TICK, TickDecision
from runs_app.states import Reason, Status, Trigger
from scripts_app.models import Pause, Schedule
from scripts_app.schedules import global_pause, schedules
from scripts_app.schedules.outlook import LATE_IS_MISSED
from scripts_app.timing import rule
from scripts_app.timing.rule import TimingError
from tempo_site.backups import holds

logger = logging.getLogger(__name__)

PAUSED = (Status.SKIPPED, Reason.PAUSED, "Its schedule was paused.")
SERVE_TOGETHER = 100  # as many as keep the write lock for some 25 ms
MAX_MESSAGE = 500


@dataclass(frozen=True, kw_only=True)
class PauseSpan:
    since: datetime
    until: datetime


def next_moment_at(*, now: datetime) -> datetime | None:
    """Return when the ticker has work: the earliest alarm or retry, or the end of a pause of all schedules."""
    if holds.is_held():
        return None
    return hot_statements.next_moment(alarms=schedules.CLUSTER, now=now)


def step(*, now: datetime, limit: int = SERVE_TOGETHER) -> int:
    """Serve the earliest due alarms, up to a limit; return how many were due, up to that limit.

    Where that many are due, more may follow: none of their runs begins before the others have their rows.
    """
    alarms: list[Alarm] = []
    if holds.is_held():
        return 0
    try:
        _serve_due(alarms, now=now, limit=limit)
    except (OperationalError, OSError, MemoryError):
        raise  # says nothing about a schedule: the ticker looks again in a second
    except Exception as error:  # one bad schedule must not stop the others
        if len(alarms) > 1:
            return step(now=now, limit=_fewer(len(alarms)))  # in the end alone with its fate
        if not alarms:
            raise
        logger.exception("alarm %s could not be served, its schedule is put aside", alarms[0].pk)
        _suspend(alarms[0].pk, error)
    return len(alarms)


@transaction.atomic
def _serve_due(alarms: list[Alarm], *, now: datetime, limit: int) -> None:
    # They are read within the write lock, in one transaction with what comes of them: no schedule is edited between
    # this and its new alarm. The caller knows them also where they cannot be served.
    alarms += due_alarms.due(now, limit=limit)
    pause = _last_pause(alarms)
    if pause is not None and pause.is_open(now):
        alarms.clear()
        return
    _serve(alarms, pause, now, may_begin=len(alarms) < limit)


def _fewer(count: int) -> int:
    # The largest power of two below: few statements serve any number.
    return 1 << (count - 1).bit_length() - 1


def at_start(*, service_started_at: datetime, now: datetime) -> None:
    """Run the start-up schedules, once for each start of the service; suspend schedules of unknown time zones.

    Next moments are computed anew: the clock, or a time zone's rules, may have changed since.
    """
    _suspend_unknown_zones()
    clock_changes.compute_anew(clock_changes.AT_START, now=now)
    if holds.is_held():
        return
    startup = Schedule.objects.armed().filter(kind=Schedule.Kind.STARTUP)
    for schedule in startup.select_related("script"):
        due = service_started_at + timedelta(seconds=schedule.delay_s)
        try:
            with transaction.atomic():
                _start_up(schedule, due, now)
        except Exception:  # the others and the service itself must start
            logger.exception("start-up schedule %s could not be served", schedule.pk)


def _last_pause(alarms: Sequence[Any]) -> Pause | None:
    if not alarms or alarms[0].all_paused_since is None:
        return None
    return Pause(since=alarms[0].all_paused_since, until=alarms[0].all_paused_until)


def _start_up(
    schedule: Schedule,
    due: datetime,
    now: datetime,
) -> None:
    # Now, or at an alarm of its own when it is put off; once for a start of the service, as its moment is the same.
    is_put_off = schedule.delay_s and due > now
    if is_put_off and not Run.objects.filter(schedule=schedule, due_at=due).exists():
        schedules.arm_at(schedule, due)
        return
    moment = DueMoment(
        schedule=schedule,
        due_at=due,
        trigger=Trigger.STARTUP,
    )
    if schedule.is_paused(now) or global_pause.current_pause(now) is not None:
        moment = replace(moment, verdict=PAUSED)
    due_moments.record([moment], now=now)


def _serve(alarms: Sequence[Alarm], pause: Pause | None, now: datetime, *, may_begin: bool) -> None:
    # Decide what comes of these alarms' moments, record it, and set the alarms to what follows. As one after the
    # other: it ends before a second schedule of a script, whose overlap is a matter of what the first one starts, and
    # before an alarm that comes behind the next moment of one of those before it.
    moments: list[DueMoment] = []
    following: dict[int, datetime | None] = {}
    scripts: set[int] = set()
    for alarm in alarms:
        schedule = getattr(alarm, "schedule", None)
        # Deleted, or disabled a moment ago.
        if schedule is None or not schedules.has_moments(schedule):
            following[alarm.pk] = None
            continue
        comes_first = min(filter(None, following.values()), default=alarm.next_run + TICK)
        if schedule.script_id in scripts or comes_first <= alarm.next_run:
            break
        scripts.add(schedule.script_id)
        if schedules.may_fire(schedule):
            found, following[alarm.pk] = _moments_of(schedule, alarm.next_run, pause, now)
            moments += found
        else:
            following[alarm.pk] = None
            moments.append(_switched_off(schedule, alarm.next_run))
    due_moments.record(moments, now=now, may_begin=may_begin)
    _move_alarms(following)


def _moments_of(
    schedule: Schedule,
    due: datetime | None,
    pause: Pause | None,
    now: datetime,
) -> tuple[list[DueMoment], datetime | None]:
    # What is to be recorded of the moments from `due` up to now, in their order, and the first moment behind them.
    pauses = _pauses_begun(schedule, pause, now)
    found: list[DueMoment] = []
    for each in pauses:
        if due is not None and each.since <= due < each.until:
            paused, due = _paused(schedule, due, each.until)
            found.append(paused)
    if due is None or due > now:
        return found, due
    # What was due before a pause and could not be served is not part of what was due behind it: that takes a step more.
    ends = [each.since - TICK for each in pauses if each.since > due]
    decided = missed_moments.decide(
        schedule.timing,
        schedule.missed,
        due=due,
        now=now,
        until=min(ends, default=now),
        cap=schedule.missed_cap,
    )
    if decided.missed:
        found.append(_missed(schedule, decided, first=due))
    if decided.serve:
        found.append(_served(schedule, decided, first=due, now=now))
    return found, decided.following


def _switched_off(schedule: Schedule, due: datetime) -> DueMoment:
    reason, message = Reason.DISABLED, "Its schedule was disabled."
    if schedule.script.deleted_at is not None:
        reason, message = Reason.DELETED, "Its script was deleted."
    elif not schedule.script.enabled:
        message = "Its script was disabled."
    verdict = (Status.SKIPPED, reason, message)
    return DueMoment(schedule=schedule, due_at=due, verdict=verdict)


def _pauses_begun(
    schedule: Schedule,
    everything: Pause | None,
    now: datetime,
) -> list[PauseSpan]:
    # The last pause of a schedule and the last pause of everything, as far as they have begun, in their order.
    spans = [(schedule.paused_at, schedule.paused_until)]
    if everything:
        spans.append((everything.since, everything.until))
    found = []
    for since, until in spans:
        if since and until and since <= now:
            found.append(PauseSpan(since=since, until=until))
    return sorted(found, key=lambda pause: (pause.since, pause.until))


def _paused(
    schedule: Schedule,
    due: datetime,
    until: datetime,
) -> tuple[DueMoment, datetime | None]:
    # The last moment of a pause, for all from `due` on; and the first moment behind the pause.
    timing = schedule.timing
    last = rule.last_at_or_before(timing, until - TICK)
    last = max(last or due, due)
    moment = DueMoment(
        schedule=schedule,
        due_at=last,
        coalesced=rule.count_between(timing, due, last),
        since=due,
        verdict=PAUSED,
    )
    return moment, rule.next_after(timing, until - TICK)


def _served(
    schedule: Schedule,
    decided: TickDecision,
    *,
    first: datetime,
    now: datetime,
) -> DueMoment:
    assert decided.serve
    trigger = Trigger.SCHEDULE
    if schedule.kind == Schedule.Kind.STARTUP:
        trigger = Trigger.STARTUP
    return DueMoment(
        schedule=schedule,
        due_at=decided.serve,
        trigger=trigger,
        coalesced=decided.coalesced,
        since=first,
        is_backlog=schedule.missed == Schedule.Missed.ALL and _is_behind(decided, now),
    )


def _is_behind(decided: TickDecision, now: datetime) -> bool:
    # Whether a moment is served long after it was due, or when the next moment is due as well.
    if decided.following is not None and decided.following <= now:
        return True
    return decided.serve is not None and now - decided.serve > LATE_IS_MISSED


def _missed(
    schedule: Schedule,
    decided: TickDecision,
    *,
    first: datetime,
) -> DueMoment:
    assert decided.missed_until
    plural = "s" if decided.missed > 1 else ""
    message = f"{decided.missed} due start{plural} passed while the service was away."
    return DueMoment(
        schedule=schedule,
        due_at=decided.missed_until,
        coalesced=decided.missed - 1,
        since=first,
        verdict=(Status.MISSED, Reason.SERVICE_DOWN, message),
    )


def _move_alarms(following: dict[int, datetime | None]) -> None:
    # Set alarms to their next moments, those with the same one together; without a next moment they go.
    by_moment: dict[datetime | None, list[int]] = {}
    for pk, next_run in following.items():
        by_moment.setdefault(next_run, []).append(pk)
    for moment, pks in by_moment.items():
        if moment is None:
            Alarm.objects.filter(pk__in=pks).delete()
        else:
            hot_statements.move_alarms(pks, next_run=moment)


def _suspend_unknown_zones() -> None:
    # A schedule whose time zone has gone from the system is suspended now, and not only when it is due.
    armed = Schedule.objects.armed().filter(alarm__isnull=False)
    for name in armed.order_by().values_list("timezone", flat=True).distinct():
        try:
            rule.zone_of(name)
        except TimingError as error:
            logger.error("time zone %s is not known any more, its schedules are put aside", name)
            for alarm_pk in armed.filter(timezone=name).values_list("alarm_id", flat=True):
                _suspend(alarm_pk, error)


def _suspend(alarm_pk: int, error: Exception) -> None:
    message = f"Put aside: {error}"[:MAX_MESSAGE]
    with transaction.atomic():
        Schedule.objects.filter(alarm_id=alarm_pk).update(message=message)
        Alarm.objects.filter(pk=alarm_pk).delete()
