"""Notifications: channels with their state, rules, and the last deliveries."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from notifications_app import lookup
from notifications_app.channels import offers, targets
from notifications_app.models import Channel, Delivery, Rule
from notifications_app.rules import words
from notifications_app.views.access import for_staff
from scripts_app.models import Schedule
from tempo_site import auth

LAST_DELIVERIES = 8
MAX_OFFERS = 20


@dataclass(frozen=True, kw_only=True)
class RuleRow:
    """A rule with its events in words."""

    rule: Rule
    events: str


class OverviewContext(TypedDict):
    now: datetime
    channels: list[Channel]
    suspended: list[Channel]
    unheard: set[int]  # channels that hear of nothing
    rules: list[RuleRow]
    deliveries: QuerySet[Delivery]
    offers: list[Schedule]
    has_mail: bool


@require_safe
@for_staff
def overview(request: auth.SignedInRequest) -> HttpResponse:
    context = overview_context(now=timezone.now())
    return render(request, "notifications/overview.html", context)


def overview_context(*, now: datetime) -> OverviewContext:
    channels = list(Channel.objects.select_related("script"))
    return {
        "now": now,
        "channels": channels,
        "suspended": [channel for channel in channels if channel.suspended_at],
        "unheard": set(Channel.objects.that_hear_nothing().values_list("pk", flat=True)),
        "rules": [RuleRow(rule=rule, events=words.events_of(rule)) for rule in lookup.rules()],
        "deliveries": lookup.deliveries()[:LAST_DELIVERIES],
        "offers": list(offers.waiting_offers()[:MAX_OFFERS]),
        "has_mail": targets.has_mail(),
    }
