"""The last week by the hour: how many runs ended, and how many of them badly."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from django.db.models import Count, F, Func, IntegerField
from django.utils import timezone

from runs_app.history import history, recent_runs
from runs_app.models import Run
from runs_app.states import Status

DAYS = 7
SLOT_S = 900  # zones differ from UTC by multiples of a quarter of an hour
EPOCH = "CAST(strftime('%%%%s', %(expressions)s) AS INTEGER)"


@dataclass(kw_only=True)
class Hour:
    """A field of the heat map: how many runs ended in this hour, and how many of them badly."""

    ended: int = 0
    bad: int = 0


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
    """Count the runs of the last week. One query: the database counts quarters of an hour, in UTC."""
    zone = timezone.get_current_timezone()
    today = timezone.localdate(now)
    days: dict[date, Day] = {}
    for back in reversed(range(DAYS)):
        on = today - timedelta(days=back)
        days[on] = Day(on=on)
    totals = dict.fromkeys(Status, 0)
    for slot, status, count in _counts(since=now - timedelta(days=DAYS)):
        totals[Status(status)] += count
        local = datetime.fromtimestamp(slot * SLOT_S, zone)
        day = days.get(local.date())
        if day is None:
            continue
        day.hours[local.hour].ended += count
        if status in history.BAD:
            day.hours[local.hour].bad += count
    bad = sum(totals[status] for status in history.BAD)
    return Week(days=list(days.values()), succeeded=totals[Status.SUCCEEDED], bad=bad)


def _counts(since: datetime) -> list[tuple[int, str, int]]:
    epoch = Func(F("finished_at"), template=EPOCH, output_field=IntegerField())
    runs = Run.objects.scripts().filter(finished_at__gte=since, status__in=recent_runs.VERDICTS)
    slots = runs.order_by().annotate(slot=epoch / SLOT_S).values_list("slot", "status")
    return list(slots.annotate(count=Count("pk")))
