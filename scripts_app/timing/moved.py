"""A rhythm moved by some minutes on the clock, so that two scripts need not start together."""

from dataclasses import replace
from datetime import timedelta

from scripts_app.timing import cron_expression
from scripts_app.timing.cron_expression import TimingError
from scripts_app.timing.rule import Timing

MAX_MINUTES = 12 * 60
_DAY_MINUTES = 24 * 60


def moved(timing: Timing, minutes: int) -> Timing:
    """Return the timing that many minutes later, or earlier. Raise TimingError where that has no meaning.

    An interval needs a start, from which its grid is counted.
    """
    if minutes == 0 or abs(minutes) > MAX_MINUTES:
        raise TimingError("minutes", f"Move it by 1 to {MAX_MINUTES} minutes, earlier or later")
    by = timedelta(minutes=minutes)
    if timing.kind == "cron":
        return replace(timing, cron=_moved_line(timing.cron, minutes))
    if timing.kind == "once" and timing.at:
        return replace(timing, at=timing.at + by)
    if timing.kind == "interval" and timing.start_at:
        return replace(timing, start_at=timing.start_at + by)
    raise TimingError("kind", "It starts with Tempo: there is no time to move")


def _moved_line(line: str, minutes: int) -> str:
    minute, hours, *days = cron_expression.expand_alias(line).split()
    if not minute.isdecimal() or len(days) != 3:
        raise TimingError("cron", f"`{line}` names no single minute: edit its schedule")
    if hours == "*":
        return " ".join([str((int(minute) + minutes) % 60), hours, *days])
    if not hours.replace(",", "").isdecimal():
        raise TimingError("cron", f"`{line}` names no single hours: edit its schedule")
    moments = [int(hour) * 60 + int(minute) + minutes for hour in hours.split(",")]
    leaves_the_day = any(not 0 <= moment < _DAY_MINUTES for moment in moments)
    if leaves_the_day and days != ["*", "*", "*"]:
        raise TimingError("cron", f"`{line}` would start on other days: edit its schedule")
    hour_list = sorted(moment % _DAY_MINUTES // 60 for moment in moments)
    return " ".join([str(moments[0] % 60), ",".join(map(str, hour_list)), *days])
