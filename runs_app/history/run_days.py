"""Runs of a list under the days on which they began."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.utils import timezone

from runs_app.models import Run


@dataclass(frozen=True, kw_only=True)
class RunDay:
    """`title` is "" where a list is not divided."""

    title: str
    runs: list[Run]


def by_day(runs: Iterable[Run], *, now: datetime) -> list[RunDay]:
    """Return the runs under days of the server's zone, in the order in which the days first come."""
    days: dict[date, list[Run]] = {}
    for run in runs:
        days.setdefault(timezone.localdate(run.started_at or run.created_at), []).append(run)
    today = timezone.localdate(now)
    return [RunDay(title=_title(day, today), runs=of_day) for day, of_day in days.items()]


def undivided(runs: list[Run]) -> list[RunDay]:
    return [RunDay(title="", runs=runs)] if runs else []


def _title(day: date, today: date) -> str:
    words = f"{day:%A} {day:%Y-%m-%d}"
    if day == today:
        return f"Today, {words}"
    if day == today - timedelta(days=1):
        return f"Yesterday, {words}"
    return words
