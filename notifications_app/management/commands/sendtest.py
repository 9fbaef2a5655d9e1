"""`manage.py sendtest [CHANNEL] [--to ADDRESS]`: a test message at once, and what the receiver answered."""

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from notifications_app.delivery import trial
from notifications_app.delivery.letters import Answer
from notifications_app.models import Channel


class Command(BaseCommand):
    help = "Send a test message by a channel, or a mail to an address, and print the receiver's answer."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("channel", nargs="?", default="", help="Name or number of a channel.")
        parser.add_argument("--to", default="", help="Mail address, by the settings for mail.")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        if options["to"]:
            self._report(_mail_to(options["to"], now))
            return
        self._report(trial.send_test(_channel(options["channel"]), now=now))

    def _report(self, answer: Answer) -> None:
        if answer.outcome != trial.SENT:
            raise CommandError(f"The test was not sent. {answer.answer}")
        self.stdout.write(f"The test was sent. The receiver's answer: {answer.answer}")


def _mail_to(address: str, now: datetime) -> Answer:
    try:
        return trial.send_test_mail(address, now=now)
    except ValueError as refusal:
        raise CommandError(f"{refusal}.") from None


def _channel(named: str) -> Channel:
    found = Channel.objects.filter(name=named).first()
    if found is None and named.isdecimal():
        found = Channel.objects.filter(pk=int(named)).first()
    if found is None:
        names = ", ".join(f"`{name}`" for name in Channel.objects.values_list("name", flat=True))
        hint = f"channels are {names}" if names else "make one on the page Notifications"
        raise CommandError(f"There is no channel `{named}`.\nhint: {hint}, or use --to ADDRESS")
    return found
