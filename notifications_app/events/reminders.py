"""Reminders: what still fails is told again each day or week, where a rule asks for that."""

from datetime import datetime, timedelta

from django.db import transaction

from notifications_app.events import outbox
from notifications_app.models import Delivery, Event, Incident, Rule
from notifications_app.rules import book, nearest

EVERY = {
    Rule.Reminder.DAILY.value: timedelta(days=1),
    Rule.Reminder.WEEKLY.value: timedelta(weeks=1),
}


def look(*, now: datetime) -> None:
    rules = book.current().rules
    if not any(rule.reminder in EVERY for rule in rules):
        return
    failing = Incident.objects.filter(
        kind=Event.FAILED,
        recovered_at=None,
        script__enabled=True,
        script__deleted_at=None,
        last_run__isnull=False,
    )
    for incident in failing.select_related("script__folder", "last_run__script"):
        with transaction.atomic():
            _remind(incident, rules, now)


def _remind(incident: Incident, rules: tuple[Rule, ...], now: datetime) -> None:
    assert incident.script and incident.last_run
    due = []
    for rule in nearest.rules_of_script(incident.script, rules):
        if Event.FAILED in rule.events and _is_due(incident, rule, now):
            due.append(rule)
    facts = {"streak": incident.streak, "is_reminder": True}
    outbox.tell_of_run(
        Event.FAILED, incident.last_run, due, now=now, facts=facts, incident=incident
    )


def _is_due(incident: Incident, rule: Rule, now: datetime) -> bool:
    every = EVERY.get(rule.reminder)
    if every is None:
        return False
    told = Delivery.objects.filter(
        incident=incident, channel=rule.channel_id, event=Event.FAILED
    ).first()  # the newest
    return told is not None and told.created_at + every <= now
