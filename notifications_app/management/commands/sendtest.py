"""`manage.py sendtest [CHANNEL] [--to ADDRESS]`: a test message at once, and what the receiver answered."""

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from notifications_app.delivery import trial
from notifications_app.delivery.letters import Answer
from notifications_app.models import Channel
from tempo_site.audit.commands import ActingCommand
from tempo_site.lib.console.arguments import MISUSED
from tempo_site.lib.console.tables import as_json


class Command(ActingCommand):
    help = "Send a test message by a channel, or a mail to an address, and print the receiver's answer."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("channel", nargs="?", default="", help="Name or number of a channel.")
        parser.add_argument("--to", default="", help="Mail address, by the settings for mail.")
        parser.add_argument("--json", action="store_true", help="Print `{outcome, answer}`.")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        if not options["to"] and not options["channel"]:
            sentence = "Name a channel, or a mail address with --to."
            raise CommandError(sentence, returncode=MISUSED)
        if options["to"]:
            answer = _mail_to(options["to"], now)
        else:
            answer = trial.send_test(_channel(options["channel"]), now=now)
        if options["json"]:
            self.stdout.write(as_json({"outcome": answer.outcome, "answer": answer.answer}))
        if answer.outcome != trial.SENT:
            raise CommandError(f"The test was not sent. {answer.answer}")
        if not options["json"]:
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
