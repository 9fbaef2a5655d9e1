"""What is wrong without a run: a broken environment, a schedule put aside, a disk that is nearly full, no backup.

Each is looked at again and again and told at the first look that finds it: an incident is open for as long as it lasts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from notifications_app.events import incidents, outbox
from notifications_app.models import Channel, Event, Incident, Rule
from notifications_app.rules import book, nearest
from runs_app import disk_space
from runs_app.engine import nightly_backup
from scripts_app.models import Environment, Schedule, Script

MAX_NAMES = 5


@dataclass(frozen=True, kw_only=True)
class ReportedCondition:
    """Something wrong: a sentence, and the scripts whose rules say who is told; none for the machine's own."""

    sentence: str
    script: Script | None = None  # the only one
    scripts: Sequence[Script] = field(default_factory=list)


def look(*, now: datetime) -> None:
    asked_for = {event for rule in book.current().rules for event in rule.events}
    if Event.ENVIRONMENT_BROKEN in asked_for:
        follow(Event.ENVIRONMENT_BROKEN, broken_environments(), now=now)
    if Event.SCHEDULE_SUSPENDED in asked_for:
        follow(Event.SCHEDULE_SUSPENDED, suspended_schedules(), now=now)
    if Event.DISK_FLOOR in asked_for:
        follow(Event.DISK_FLOOR, low_disk(), now=now)
    if Event.BACKUP_FAILED in asked_for:
        report_backup(nightly_backup.why_bad(now), now=now)


def report_backup(why: str, *, now: datetime) -> None:
    """Tell that a backup failed or is overdue, and why; with "" that the last one is well."""
    found = {}
    if why:
        found["backup"] = ReportedCondition(sentence=f"Backup: {why}")
    follow(Event.BACKUP_FAILED, found, now=now)


def follow(kind: Event, found: Mapping[str, ReportedCondition], *, now: datetime) -> None:
    """Tell the conditions, by their subject, that were not there before; close the incidents of those that are over."""
    known = {incident.subject: incident for incident in _open(kind)}
    for subject, condition in found.items():
        if subject not in known:
            with transaction.atomic():
                _begin(kind, subject, condition, now)
    for subject, incident in known.items():
        if subject not in found:
            incidents.close(incident, now=now)


def broken_environments() -> dict[str, ReportedCondition]:
    is_broken = Q(state=Environment.State.READY) & ~Q(fault="")
    rows = Environment.objects.filter(is_broken | Q(state=Environment.State.FAILED))
    found = {}
    for environment in rows.defer("lock"):
        scripts = list(_users_of(environment))
        if scripts:
            why = environment.fault or environment.message
            sentence = f"The environment of {_names(scripts)} is broken: {why}"
            found[f"environment {environment.pk}"] = ReportedCondition(
                sentence=sentence, scripts=scripts
            )
    return found


def suspended_schedules() -> dict[str, ReportedCondition]:
    rows = Schedule.objects.armed().exclude(message="").select_related("script__folder")
    found = {}
    for schedule in rows:
        script = schedule.script
        sentence = f"A schedule of {script.name} was put aside: {schedule.message}"
        found[f"schedule {schedule.pk}"] = ReportedCondition(
            sentence=sentence, script=script, scripts=[script]
        )
    return found


def low_disk() -> dict[str, ReportedCondition]:
    why = disk_space.why_nothing_starts()
    if not why:
        return {}
    return {"disk": ReportedCondition(sentence=f"No new run starts: {why}")}


def _open(kind: Event) -> list[Incident]:
    return list(Incident.objects.filter(kind=kind, recovered_at=None))


def _begin(kind: Event, subject: str, condition: ReportedCondition, now: datetime) -> None:
    incident = incidents.begin(kind, condition.script, subject, now=now)
    if incident is None:
        return
    outbox.tell(
        kind,
        condition.sentence,
        _listeners(kind, condition),
        now=now,
        script=condition.script,
        incident=incident,
    )


def _listeners(kind: Event, condition: ReportedCondition) -> dict[Channel, Rule | None]:
    all_rules = book.current().rules
    found: dict[Channel, Rule | None] = {}
    if not condition.scripts:
        for rule in nearest.rules_for_all(all_rules):
            if kind in rule.events:
                found[rule.channel] = rule
    for script in condition.scripts:
        for rule in nearest.rules_of_script(script, all_rules):
            if kind in rule.events:
                found.setdefault(rule.channel, rule)
    return found


def _users_of(environment: Environment) -> Sequence[Script]:
    uses = Q(environment=environment) | Q(wanted_environment=environment)
    return list(Script.objects.present().filter(uses).select_related("folder"))


def _names(scripts: Sequence[Script]) -> str:
    names = ", ".join(script.name for script in scripts[:MAX_NAMES])
    if len(scripts) > MAX_NAMES:
        return f"{names} and {len(scripts) - MAX_NAMES} more"
    return names
