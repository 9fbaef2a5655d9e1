"""`manage.py revokekey KEY`: revoke an API key."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tempo_site.accounts import keys
from tempo_site.accounts.keys import KeyRefused
from tempo_site.audit import trail
from tempo_site.models import AuditEntry


class Command(BaseCommand):
    """Works while Tempo runs and while it does not."""

    help = "Revoke an API key: whoever shows it is refused from now on."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("key", help="The number or the name that `listkeys` shows, or the key.")

    @trail.acting_as(AuditEntry.Actor.COMMAND, "revokekey")
    def handle(self, *args: Any, **options: Any) -> None:
        try:
            key = keys.named(options["key"])
        except KeyRefused as refusal:
            raise CommandError(str(refusal)) from refusal
        keys.revoke(key)
        self.stdout.write(f"Revoked the key {key.name}.")
