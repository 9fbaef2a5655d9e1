"""Housekeeping: ordinary django-q2 Schedule rows, fired by q2's own scheduler()."""

from datetime import datetime, timedelta

from django_q.models import Schedule as Housekeeping

TASKS = {
    "retention": ("runs_app.tasks.prune", 60),
    "cold logs": ("runs_app.tasks.compress_logs", 10),
    "deleted scripts": ("runs_app.tasks.purge_scripts", 24 * 60),
    "environment garbage": ("runs_app.tasks.collect_environments", 24 * 60),
}


def ensure_schedules(*, now: datetime) -> None:
    """Write missing rows and restore changed rows; the first turn is a minute after the start."""
    for name, (function, minutes) in TASKS.items():
        fields = {
            "func": function,
            "schedule_type": Housekeeping.MINUTES,
            "minutes": minutes,
            "repeats": -1,
        }
        Housekeeping.objects.update_or_create(
            name=name,
            defaults=fields,
            create_defaults={**fields, "next_run": now + timedelta(minutes=1)},
        )
        # From before the clock was set back.
        too_late = Housekeeping.objects.filter(
            name=name, next_run__gt=now + timedelta(minutes=minutes)
        )
        too_late.update(next_run=now + timedelta(minutes=1))


def hurry(name: str, *, now: datetime) -> None:
    """Have a task begin with the next look at the schedules, within half a minute."""
    Housekeeping.objects.filter(name=name).update(next_run=now)
