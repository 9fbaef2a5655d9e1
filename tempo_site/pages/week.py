"""The last week by the hour: how many runs ended, and how many of them badly."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from runs_app.figures import reading
from runs_app.figures.tally import Hour, Tally

DAYS = 7


@dataclass(kw_only=True)
class Day:
    on: date
    hours: list[Hour] = field(default_factory=lambda: [Hour() for _ in range(24)])

    @property
    def ended(self) -> int:
        return sum(hour.ended for hour in self.hours)

    @property
    def bad(self) -> int:
        return sum(hour.bad for hour in self.hours)


@dataclass(frozen=True, kw_only=True)
class Week:
    """Seven days up to today in the server's zone, and the verdicts of the last 7 times 24 hours."""

    days: list[Day]
    succeeded: int
    bad: int
    bad_today: int = 0  # in this hour and the 23 before

    @property
    def rate(self) -> int | None:
        """Good verdicts in per cent, rounded down, so that 100 means all; None without a verdict."""
        verdicts = self.succeeded + self.bad
        if not verdicts:
            return None
        return 100 * self.succeeded // verdicts

    @property
    def most(self) -> int:
        return max(hour.ended for day in self.days for hour in day.hours)


def count_week(now: datetime) -> Week:
    """Count the runs of the last week, as many queries and rows whatever the history."""
    first = reading.first_day(now, days=DAYS)
    # A day more: seven times 24 hours begin within it.
    tallies = reading.days_of_all(since=first - timedelta(days=1))
    days = []
    for number in range(DAYS):
        on = first + timedelta(days=number)
        days.append(_day(on, tallies.get(on, Tally())))
    verdicts = reading.last_hours(tallies, now, count=24 * DAYS)
    today = reading.last_hours(tallies, now, count=24)
    return Week(days=days, succeeded=verdicts.good, bad=verdicts.bad, bad_today=today.bad)


def _day(on: date, tally: Tally) -> Day:
    return Day(on=on, hours=[tally.hours.get(hour, Hour()) for hour in range(24)])
