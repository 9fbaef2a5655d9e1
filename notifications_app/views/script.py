"""The tab of a script: who is told of it, when, and by which rule."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from notifications_app import lookup
from notifications_app.models import Channel, Delivery, Incident, Rule
from notifications_app.rules import nearest, words
from scripts_app import lookup as scripts_lookup
from scripts_app.models import Script
from tempo_site import auth

LAST_DELIVERIES = 20


@dataclass(frozen=True, kw_only=True)
class Listener:
    """A channel that is told of the script: its rule, of what, and where the script has the rule from."""

    rule: Rule
    events: str
    source: str
    is_own: bool


class ScriptNotificationsContext(TypedDict):
    now: datetime
    script: Any  # a script with the facts that the head of its pages shows
    listeners: list[Listener]
    silenced: list[Channel]
    heartbeats: list[Channel]
    incidents: QuerySet[Incident]
    deliveries: QuerySet[Delivery]


@require_safe
def script_notifications(request: auth.SignedInRequest, slug: str) -> HttpResponse:
    context = script_notifications_context(slug, now=timezone.now())
    return render(request, "notifications/script.html", context)


def script_notifications_context(slug: str, *, now: datetime) -> ScriptNotificationsContext:
    script = scripts_lookup.script_for_page(slug, now=now)
    deliveries = lookup.deliveries().filter(script=script)
    rules = list(lookup.rules().filter(enabled=True))
    return {
        "now": now,
        "script": script,
        "listeners": listeners_of(script, rules),
        "silenced": nearest.silenced_channels(script, rules),
        "heartbeats": list(Channel.objects.filter(script=script)),
        "incidents": Incident.objects.filter(script=script, recovered_at=None),
        "deliveries": deliveries[:LAST_DELIVERIES],
    }


def listeners_of(script: Script, rules: Sequence[Rule]) -> list[Listener]:
    return [
        Listener(
            rule=rule,
            events=words.events_of(rule),
            source=nearest.source(script, rule),
            is_own=rule.script_id == script.pk,
        )
        for rule in nearest.rules_of_script(script, rules)
    ]
