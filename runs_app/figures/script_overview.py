"""How one script is doing: success, durations, resources, punctuality and streaks, for its page and the API."""

from dataclasses import dataclass
from datetime import date, datetime

from runs_app.figures import reading
from runs_app.figures.reading import Days
from runs_app.figures.tally import Tally, rate_of
from scripts_app.models import Script

DAYS_OF_YEAR = 371  # 53 whole weeks: a calendar of twelve months
CHART_DAYS = 90
PERIODS = {"7 days": 7, "30 days": 30, "90 days": 90}
LAST_DAY = "24 h"
SMALL_TREND_PERCENT = 5  # twice what a median may be off


@dataclass(frozen=True, kw_only=True)
class Period:
    """Good and bad verdicts of the last so many days."""

    name: str
    good: int
    bad: int

    @property
    def rate(self) -> float | None:
        return rate_of(self.good, self.bad)


@dataclass(frozen=True, kw_only=True)
class Streak:
    """Runs in a row: good or bad ones up to now, and the most good ones."""

    good: int
    bad: int
    longest_good: int


@dataclass(frozen=True, kw_only=True)
class Overview:
    """What a script's runs add up to in `days` days; `streak` and `year` reach back for a year.

    Of the year only these days, as many before them and those of the chart have durations.
    """

    days: int
    since: date
    periods: list[Period]
    total: Tally
    trend_percent: float | None
    streak: Streak
    by_day: Days
    year: Days

    @property
    def trend_words(self) -> str:
        """The trend in words; "" where it is unknown or too small to tell."""
        if self.trend_percent is None or abs(self.trend_percent) < SMALL_TREND_PERCENT:
            return ""
        direction = "slower" if self.trend_percent > 0 else "faster"
        return f"{abs(self.trend_percent):.0f} % {direction} than the {self.days} days before"


def overview(script: Script, *, now: datetime, days: int = 30) -> Overview:
    """Return the figures of the last `days` days, today included."""
    since = reading.first_day(now, days=days)
    oldest = min(since, reading.first_day(now, days=DAYS_OF_YEAR))
    before = reading.first_day(now, days=2 * days)
    charted = reading.first_day(now, days=CHART_DAYS)
    year = reading.days_of_script(
        script.pk,
        since=min(oldest, before),
        detailed_since=min(since, before, charted),
    )
    total = reading.total_since(year, since)
    earlier = {day: tally for day, tally in year.items() if day < since}
    return Overview(
        days=days,
        since=since,
        periods=_periods(year, now),
        total=total,
        trend_percent=_trend(reading.total_since(earlier, before), total),
        streak=_streak(year),
        by_day={day: tally for day, tally in year.items() if day >= since},
        year=year,
    )


def usual_duration_s(script: Script, *, now: datetime, min_runs: int = 1) -> float | None:
    """Return how long a good run takes as a rule: the median of the last 30 days; None where there were too few."""
    since = reading.first_day(now, days=30)
    total = reading.total_since(reading.days_of_script(script.pk, since=since), since)
    if total.succeeded < min_runs:
        return None
    return total.median_s


def _periods(year: Days, now: datetime) -> list[Period]:
    last_day = reading.last_hours(year, now, count=24)
    periods = [Period(name=LAST_DAY, good=last_day.good, bad=last_day.bad)]
    for name, days in PERIODS.items():
        total = reading.total_since(year, reading.first_day(now, days=days))
        periods.append(Period(name=name, good=total.succeeded, bad=total.bad))
    return periods


def _trend(earlier: Tally, total: Tally) -> float | None:
    # By how much the median has grown since the same number of days before.
    if not earlier.median_s or total.median_s is None:
        return None
    return 100 * (total.median_s / earlier.median_s - 1)


def _streak(year: Days) -> Streak:
    total = reading.total_since(year, date.min)
    return Streak(good=total.good_last, bad=total.bad_last, longest_good=total.good_longest)
