"""The figures of some days: what is counted, and the few runs that ended since."""

from datetime import date, datetime, timedelta

from django.utils import timezone

from runs_app.figures import counting
from runs_app.figures.tally import COLUMNS, Hour, Tally, total
from runs_app.models import DailyFigures, Run

MAX_NOT_COUNTED = 2000  # only an old history that is being counted has more

PLAIN_COLUMNS = tuple(name for name in COLUMNS if name not in ("durations", "hours"))

Days = dict[date, Tally]


def days_of_script(script_id: int, *, since: date, detailed_since: date | None = None) -> Days:
    """Return what a script's runs add up to by day in the server's zone, the oldest first, without empty days.

    Days before `detailed_since` come without durations and hours, which are most of the work.
    """
    return _days(script_id, since, detailed_since or since)


def days_of_all(*, since: date) -> Days:
    """Return what the runs of all scripts together add up to, by day."""
    return _days(None, since, since)


def first_day(now: datetime, *, days: int) -> date:
    """Return the first of so many days, today included."""
    return timezone.localdate(now, timezone.get_current_timezone()) - timedelta(days=days - 1)


def total_since(days: Days, first: date) -> Tally:
    return total(tally for day, tally in days.items() if day >= first)


def last_hours(days: Days, now: datetime, *, count: int) -> Hour:
    """Return what ended in this hour and those before it, `count` in all."""
    zone = timezone.get_current_timezone()
    result = Hour()
    for back in range(count):
        # In UTC, as hours of a local clock may be left out.
        local = (now - timedelta(hours=back)).astimezone(zone)
        tally = days.get(local.date())
        if tally and local.hour in tally.hours:
            result.add(tally.hours[local.hour])
    return result


def _days(script_id: int | None, since: date, detailed_since: date) -> Days:
    rows = DailyFigures.objects.filter(script=script_id).order_by("day")
    days = {}
    if since < detailed_since:
        earlier = rows.filter(day__gte=since, day__lt=detailed_since)
        for values in earlier.values("day", *PLAIN_COLUMNS):
            day = values.pop("day")
            days[day] = Tally(**values)
    for row in rows.filter(day__gte=detailed_since):
        days[row.day] = counting.tally_of_row(row)
    rows_of_runs = Run.objects.all() if script_id is None else Run.objects.filter(script=script_id)
    fresh = counting.not_counted(rows_of_runs, limit=MAX_NOT_COUNTED)
    for (owner, day), tally in counting.tallies_of(fresh).items():
        if owner == script_id and day >= since:
            days.setdefault(day, Tally()).add(tally)
    return dict(sorted(days.items()))
