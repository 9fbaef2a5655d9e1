"""What a late ticker does about the moments that have passed: which is served, which are recorded as missed."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from scripts_app.models import Schedule
from scripts_app.schedules.outlook import LATE_IS_MISSED
from scripts_app.timing import rule
from scripts_app.timing.rule import Timing

TICK = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True)
class TickDecision:
    serve: datetime | None  # the moment that gets a run
    coalesced: int = 0  # moments before it that the same run stands for
    missed: int = 0  # moments recorded as missed, in one row ending at `missed_until`
    missed_until: datetime | None = None
    following: datetime | None  # the alarm's next moment


def decide(
    timing: Timing,
    policy: str,
    *,
    due: datetime,
    now: datetime,
    until: datetime | None = None,
    cap: int = 10,
) -> TickDecision:
    """Decide about the moments from `due` to `until` (by default `now`). A gap is counted, never walked."""
    last = rule.last_at_or_before(timing, until or now)
    last = max(last or due, due)
    count = 1 + rule.count_between(timing, due, last)
    if policy == Schedule.Missed.ALL:
        return _decide_all(timing, due, last, count, cap)
    following = rule.next_after(timing, last)
    if policy == Schedule.Missed.ONCE:
        return TickDecision(serve=last, coalesced=count - 1, following=following)
    if now - last > LATE_IS_MISSED:
        return TickDecision(serve=None, missed=count, missed_until=last, following=following)
    if count == 1:
        return TickDecision(serve=last, following=following)
    return TickDecision(
        serve=last,
        missed=count - 1,
        missed_until=_before(timing, last),
        following=following,
    )


def _decide_all(
    timing: Timing,
    due: datetime,
    last: datetime,
    count: int,
    cap: int,
) -> TickDecision:
    # A run for each, one a step, so that each gets a transaction of its own; the oldest of too many are recorded.
    if count <= cap:
        return TickDecision(serve=due, following=rule.next_after(timing, due))
    early, late = due, last
    while late - early > timedelta(seconds=1):  # find where the last of them begin
        middle = early + (late - early) / 2
        if rule.count_between(timing, middle, last) >= cap:
            early = middle
        else:
            late = middle
    until = rule.last_at_or_before(timing, early) or due
    return TickDecision(
        serve=None,
        missed=1 + rule.count_between(timing, due, until),
        missed_until=until,
        following=rule.next_after(timing, until),
    )


def _before(timing: Timing, moment: datetime) -> datetime:
    found = rule.last_at_or_before(timing, moment - TICK)
    assert found is not None  # only asked when there are earlier moments
    return found
