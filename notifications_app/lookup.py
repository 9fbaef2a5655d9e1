"""Channels, rules and deliveries by what an address names them with, for every door alike."""

from typing import TypeVar

from django.db.models import Model, QuerySet
from django.http import Http404

from notifications_app.models import Channel, Delivery, Rule
from scripts_app.models import Schedule

MAX_ID = 2**63 - 1
Row = TypeVar("Row", bound=Model)


def channel(pk: int) -> Channel:
    """Return a channel. Raise Http404."""
    return _found(Channel.objects.select_related("script"), pk, "channel")


def rules() -> QuerySet[Rule]:
    """Return all rules with what a page or their JSON shows, in one query."""
    return Rule.objects.select_related("channel", "script", "folder")


def rule(pk: int) -> Rule:
    """Return a rule. Raise Http404."""
    return _found(rules(), pk, "rule")


def deliveries() -> QuerySet[Delivery]:
    """Return all deliveries, newest first, with what a page or their JSON shows, in one query."""
    related = Delivery.objects.select_related("channel", "script")
    return related.defer("facts", "recipients", "channel__address", "channel__to")


def delivery(pk: int) -> Delivery:
    """Return a delivery. Raise Http404."""
    return _found(deliveries(), pk, "delivery")


def schedule_with_mail(pk: int) -> Schedule:
    """Return a schedule that keeps to whom cron sent mail. Raise Http404."""
    rows = Schedule.objects.exclude(mail_to="").filter(script__deleted_at=None)
    return _found(rows.select_related("script"), pk, "schedule with an address of cron's")


def _found(rows: QuerySet[Row], pk: int, noun: str) -> Row:
    row = rows.filter(pk=pk).first() if pk <= MAX_ID else None
    if row is None:
        raise Http404(f"There is no {noun} {str(pk)[:20]}.")
    return row
