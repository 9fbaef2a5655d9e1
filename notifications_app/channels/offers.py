"""Channels made of what Tempo knows already: the MAILTO of an imported crontab, the mail settings."""

from collections.abc import Sequence

from django.db import transaction
from django.db.models import QuerySet

from notifications_app.channels import channels
from notifications_app.channels.channels import InvalidChannel
from notifications_app.models import Channel, Rule
from notifications_app.rules import rules
from scripts_app.models import Schedule
from tempo_site.audit import trail


def waiting_offers() -> QuerySet[Schedule]:
    """Return the schedules whose cron sent mail to somebody, until a person accepts or dismisses that."""
    offered = Schedule.objects.exclude(mail_to="").filter(script__deleted_at=None)
    return offered.select_related("script").order_by("mail_to", "pk")


def accept_mail_to(schedule: Schedule) -> Rule:
    """Have the people told whom cron sent mail to, of this script alone. Raise ChannelError."""
    addresses = [part.strip() for part in schedule.mail_to.split(",") if part.strip()]
    with transaction.atomic():
        channel = mail_channel(addresses)
        rule = Rule.objects.filter(channel=channel, script=schedule.script).first()
        if rule is None:
            rule = rules.save(
                Rule(channel=channel, script=schedule.script), {"events": rules.DEFAULT_EVENTS}
            )
        dismiss_mail_to(schedule)
    return rule


def dismiss_mail_to(schedule: Schedule) -> None:
    same = Schedule.objects.filter(script=schedule.script_id, mail_to=schedule.mail_to)
    with transaction.atomic():
        trail.record("answered", kind="offer", name=f"{schedule.mail_to} of {schedule.script.slug}")
        same.update(mail_to="")


def mail_channel(addresses: Sequence[str]) -> Channel:
    """Return the mail channel to exactly these people, made where there is none. Raise ChannelError."""
    for channel in Channel.objects.filter(kind=Channel.Kind.MAIL):
        if set(channel.to) == set(addresses):
            return channel
    name = ", ".join(addresses)[:100] or "Mail"
    if Channel.objects.filter(name=name).exists():
        raise InvalidChannel(f"There is a channel `{name}` already", field="name")
    fields = {"name": name, "kind": Channel.Kind.MAIL, "to": list(addresses)}
    return channels.save(Channel(), fields, gets_default_rule=False)
