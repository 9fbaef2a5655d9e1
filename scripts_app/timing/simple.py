"""Cron lines as a few plain choices: every N minutes, hourly, daily, on weekdays, monthly. Both ways."""

from dataclasses import dataclass
from typing import Any

from scripts_app.timing import cron_expression
from scripts_app.timing.cron_expression import TimingError

EVERY = ("minutes", "hour", "day", "week", "month")
STEPS = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)  # all that divide an hour: others jump at its end
LAST_DAY = 0  # in place of a day of the month
_MIN_MONTH_DAYS = 28
_MIN_RANGE = 3  # `1-3` for three days in a row, `1,2` for two


@dataclass(frozen=True, kw_only=True)
class Simple:
    """A rhythm in plain choices; fields that its `every` does not need keep their defaults."""

    every: str  # one of EVERY
    step: int = 15  # minutes: one of STEPS
    hour: int = 9
    minute: int = 0  # of every hour, or of the hour
    weekdays: tuple[int, ...] = (1, 2, 3, 4, 5)  # 0 is Sunday; at least one
    day: int = 1  # of the month, or LAST_DAY


def line(simple: Simple) -> str:
    """Return the cron line for a rhythm; a week with all its days is the line of every day."""
    time = f"{simple.minute} {simple.hour}"
    match simple.every:
        case "minutes" if simple.step == 1:
            return "* * * * *"
        case "minutes":
            return f"*/{simple.step} * * * *"
        case "hour":
            return f"{simple.minute} * * * *"
        case "week":
            return f"{time} * * {_weekdays(simple.weekdays)}"
        case "month":
            return f"{time} {simple.day or 'L'} * *"
    return f"{time} * * *"


def parse(text: str) -> Simple | None:
    """Return the rhythm that means exactly the same as a cron line; None when there is none, or no meaning.

    Exactly: the same seconds of the calendar and the same conduct when the clocks change.
    """
    try:
        expression = cron_expression.parse(text)
    except TimingError:
        return None
    guess = _guess(expression)
    own = cron_expression.parse(line(guess))
    if own.is_wildcard != expression.is_wildcard:
        return None
    if vars(own.calendar) != vars(expression.calendar):
        return None
    return guess


def notes(text: str) -> list[str]:
    simple = parse(text)
    if simple is None or simple.every != "month" or simple.day <= _MIN_MONTH_DAYS:
        return []
    return [
        f"Months without a day {simple.day} are left out: choose the last day of the month if that is not meant"
    ]


# The rhythm that comes closest to an expression.
def _guess(expression: cron_expression.Expression) -> Simple:
    calendar = expression.calendar
    minute = calendar.minutes[0]
    if len(calendar.hours) == 24:
        step = 60 // len(calendar.minutes)
        if step == 60:
            return Simple(every="hour", minute=minute)
        return Simple(every="minutes", step=step)
    time: dict[str, Any] = {"hour": calendar.hours[0], "minute": minute}
    if 0 < len(calendar.weekdays) < 7:
        return Simple(every="week", weekdays=tuple(sorted(calendar.weekdays)), **time)
    if calendar.days_from_end:
        return Simple(every="month", day=LAST_DAY, **time)
    if len(calendar.days) == 1:
        return Simple(every="month", day=min(calendar.days), **time)
    return Simple(every="day", **time)


# The days as cron writes them: `1-5`, `0,6`, `*` for all.
def _weekdays(days: tuple[int, ...]) -> str:
    if len(set(days)) == 7:
        return "*"
    runs: list[list[int]] = []
    for day in sorted(set(days)):
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return ",".join(map(_run, runs))


def _run(days: list[int]) -> str:
    if len(days) >= _MIN_RANGE:
        return f"{days[0]}-{days[-1]}"
    return ",".join(map(str, days))
