"""Rows for tests: only what matters is said, the rest has a default."""

from datetime import UTC, datetime
from typing import Any

from django.utils import timezone

from runs_app.models import Run
from runs_app.states import Status, Trigger
from scripts_app import scripts
from scripts_app.models import Environment, Schedule, Script
from scripts_app.schedules import schedules

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def make_script(
    name: str = "Hello World",
    *,
    code: str = "print('hello')\n",
    is_ready: bool = True,
    **fields: Any,
) -> Script:
    """A script; by default its environment counts as built (nothing lies on the disk)."""
    script = scripts.create(name=name, code=code, by=None, now=timezone.now(), **fields)
    if is_ready:
        assert script.wanted_environment_id
        wanted = Environment.objects.filter(pk=script.wanted_environment_id)
        wanted.update(state=Environment.State.READY, digest="0" * 32)
        script.refresh_from_db(from_queryset=Script.objects.select_related("wanted_environment"))
        script.environment = script.wanted_environment
        script.save(update_fields=["environment"])
    return script


def make_schedule(script: Script | None = None, *, now: datetime = NOW, **fields: Any) -> Schedule:
    """A schedule, every minute by default, saved at `now` by the same verb as everyone's."""
    fields.setdefault("kind", Schedule.Kind.INTERVAL)
    if fields["kind"] == Schedule.Kind.INTERVAL:
        fields.setdefault("every_s", 60)
    return schedules.save(Schedule(script=script or make_script(), **fields), now=now)


def make_run(script: Script | None = None, **fields: Any) -> Run:
    """A row of history; queued by hand unless said otherwise."""
    fields.setdefault("status", Status.QUEUED)
    fields.setdefault("trigger", Trigger.MANUAL)
    fields.setdefault("created_at", timezone.now())
    if script is not None:
        fields.setdefault("version", script.version)
    return Run.objects.create(script=script, **fields)
