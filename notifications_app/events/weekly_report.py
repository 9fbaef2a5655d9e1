"""The weekly report, for channels that ask for it: each Monday at eight in the channel's zone."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Avg, Count

from notifications_app.events import outbox
from notifications_app.models import Channel, Notice
from notifications_app.rules import book
from runs_app import disk_space
from runs_app.history import history
from runs_app.models import Run, RunQuerySet
from runs_app.states import Status

HOUR = 8
WEEK = timedelta(weeks=1)
MAX_SCRIPTS = 10
SLOWER = 1.5  # times the average of the week before
LEAST_S = 5.0


def look(*, now: datetime) -> None:
    if not book.current().has_reports:
        return
    for channel in Channel.objects.usable().filter(weekly_report=True):
        due = last_due(channel, now)
        row = Channel.objects.filter(pk=channel.pk)
        if channel.last_report_at is None:  # the first one comes next Monday
            row.update(last_report_at=now)
        elif channel.last_report_at < due:
            with transaction.atomic():
                row.update(last_report_at=now)
                _report(channel, now)


def last_due(channel: Channel, now: datetime) -> datetime:
    """Return the last Monday at eight, as clocks in the channel's zone show it."""
    local = channel.local(now)
    monday = local - timedelta(days=local.weekday())
    due = monday.replace(hour=HOUR, minute=0, second=0, microsecond=0)
    if due > local:
        due -= WEEK
    return due


def lines(*, now: datetime) -> list[tuple[str, str]]:
    """Return the report as (label, value): counts and names of the last seven days."""
    runs = Run.objects.scripts().filter(created_at__gt=now - WEEK)
    missed = runs.filter(status__in=(Status.SKIPPED, Status.MISSED))
    missed = missed.exclude(reason__in=book.NOT_MISSED)
    return [
        ("Runs", f"{runs.filter(status=Status.SUCCEEDED).count():,} succeeded"),
        ("Failures", _counted(runs.filter(status__in=history.BAD))),
        ("Did not run", _counted(missed)),
        ("Slower than the week before", _joined(_slower(now))),
        ("Disk", f"{disk_space.look().free_mb:,} MB free"),
    ]


def _report(channel: Channel, now: datetime) -> None:
    outbox.tell(
        Notice.WEEKLY_REPORT,
        f"The week up to {channel.local(now):%Y-%m-%d}",
        {channel: None},
        now=now,
        lines=lines(now=now),
    )


def _counted(runs: RunQuerySet) -> str:
    rows = runs.order_by().values_list("script_id", "script__name").annotate(count=Count("pk"))
    most_first = rows.order_by("-count", "script__name")[:MAX_SCRIPTS]
    return _joined(f"{name} ({count})" for _, name, count in most_first)


def _slower(now: datetime) -> list[str]:
    before = _averages(now - 2 * WEEK, now - WEEK)
    found = []
    for script, (name, average) in _averages(now - WEEK, now).items():
        earlier = before.get(script, (name, average))[1]
        if average > max(LEAST_S, earlier * SLOWER):
            found.append(name)
    return sorted(found)[:MAX_SCRIPTS]


def _averages(since: datetime, until: datetime) -> dict[int, tuple[str, float]]:
    runs = Run.objects.scripts().filter(status=Status.SUCCEEDED, duration_s__isnull=False)
    runs = runs.filter(created_at__gt=since, created_at__lte=until).order_by()
    rows = runs.values_list("script_id", "script__name").annotate(average=Avg("duration_s"))
    return {script: (name, average) for script, name, average in rows}


def _joined(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
