"""`manage.py revokekey KEY`: revoke an API key."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from tempo_site.accounts import keys
from tempo_site.accounts.keys import KeyRefused
from tempo_site.audit.commands import ActingCommand
from tempo_site.lib.console.tables import as_json
from tempo_site.rest.keys import key_out


class Command(ActingCommand):
    """Works while Tempo runs and while it does not."""

    help = "Revoke an API key: whoever shows it is refused from now on."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("key", help="The number or the name that `listkeys` shows, or the key.")
        parser.add_argument(
            "--json", action="store_true", help="Print the key that was, as in the API."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            key = keys.named(options["key"])
        except KeyRefused as refusal:
            raise CommandError(str(refusal)) from refusal
        told = key_out(key)
        keys.revoke(key)
        if options["json"]:
            self.stdout.write(as_json(told.model_dump()))
        else:
            self.stdout.write(f"Revoked the key {key.name}.")
