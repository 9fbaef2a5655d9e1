"""Housekeeping: ordinary django-q2 Schedule rows, fired by q2's own scheduler()."""

from datetime import datetime, timedelta

from django_q.models import Schedule as Housekeeping

TASKS = {
    "retention": ("runs_app.tasks.prune", 60),
    "deleted scripts": ("runs_app.tasks.purge_scripts", 24 * 60),
    "environment garbage": ("runs_app.tasks.collect_environments", 24 * 60),
}


def ensure_schedules(*, now: datetime) -> None:
    """Write the rows that are missing and mend those that were changed; first turn a minute after the start."""
    for name, (function, minutes) in TASKS.items():
        Housekeeping.objects.update_or_create(
            name=name,
            defaults={
                "func": function,
                "schedule_type": Housekeeping.MINUTES,
                "minutes": minutes,
                "repeats": -1,
            },
            create_defaults={
                "func": function,
                "schedule_type": Housekeeping.MINUTES,
                "minutes": minutes,
                "repeats": -1,
                "next_run": now + timedelta(minutes=1),
            },
        )
