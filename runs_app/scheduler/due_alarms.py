"""The alarms that are due, with all that is asked of a schedule and its script before a run begins."""

import functools
from datetime import datetime
from typing import Any

from django.db.models import QuerySet, Subquery
from django_q.models import Schedule as Alarm

from scripts_app.environments import environments
from scripts_app.models import Pause, Schedule
from scripts_app.schedules import schedules
from tempo_site.lib.sqlite.prepared import Given, PreparedQuery

_RELATED = (
    "schedule__script__version",
    "schedule__script__environment",
)
# What nobody asks for on the way of a run: with a thousand alarms at once, each column counts.
_OF_ALARM = (
    "name",
    "func",
    "hook",
    "args",
    "kwargs",
    "schedule_type",
    "minutes",
    "repeats",
    "cron",
    "task",
    "intended_date_kwarg",
)
_OF_SCHEDULE = (
    "retries",
    "retry_delay_s",
    "retry_backoff",
    "retry_max_delay_s",
    "message",
    "cron_line",
    "mail_to",
    "updated_at",
)
_OF_SCRIPT = (
    "description",
    "tags",
    "allow_source",
    "copies",
    "revision",
    "created_at",
    "updated_at",
    "deleted_from",
    "purged_at",
)
_OF_VERSION = (
    "requirements",
    "python_version",
    "saved_by",
    "note",
    "settings",
    "settings_hash",
    "created_at",
)
_OF_ENVIRONMENT = (
    "requirements",
    "lock",
    "message",
    "is_renewal",
    "allows_source",
    "generation",
    "size_bytes",
    "checked_at",
    "created_at",
    "ready_at",
)


def due(now: datetime, *, limit: int) -> list[Any]:
    """Return due alarms in their order, each with the last pause of all schedules: `all_paused_since`, `..._until`."""
    alarms = _prepared(limit).rows(now=now)
    for alarm in alarms:
        schedule = getattr(alarm, "schedule", None)  # it may be deleted
        if schedule is not None:
            environments.use_one_row(schedule.script)
    return alarms


@functools.cache
def _prepared(limit: int) -> PreparedQuery[Any]:
    return PreparedQuery(lambda: _due()[:limit])


def _due() -> QuerySet[Any]:
    rows = _may_ring().filter(next_run__lte=Given("now")).order_by("next_run", "pk")
    rows = rows.select_related(*_RELATED).defer(*_not_asked_for())
    pauses = Pause.objects.order_by("pk")
    annotated: QuerySet[Any] = rows.annotate(
        all_paused_since=Subquery(pauses.values("since")[:1]),
        all_paused_until=Subquery(pauses.values("until")[:1]),
    )
    return annotated


def _may_ring() -> QuerySet[Alarm]:
    # The alarms of schedules that are not paused; those of the others wait for the end of the pause.
    paused = Schedule.objects.filter(paused_until__gt=Given("now"), alarm__isnull=False)
    alarms: QuerySet[Alarm] = Alarm.objects.filter(cluster=schedules.CLUSTER)
    return alarms.exclude(pk__in=paused.values("alarm"))


def _not_asked_for() -> list[str]:
    names = list(_OF_ALARM)
    names += [f"schedule__{name}" for name in _OF_SCHEDULE]
    names += [f"schedule__script__{name}" for name in _OF_SCRIPT]
    names += [f"schedule__script__version__{name}" for name in _OF_VERSION]
    names += [f"schedule__script__environment__{name}" for name in _OF_ENVIRONMENT]
    return names
