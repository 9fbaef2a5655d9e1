"""`manage.py createkey NAME`: make an API key."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from scripts_app import reach
from tempo_site.accounts import keys
from tempo_site.accounts.keys import KeyRefused
from tempo_site.audit.commands import ActingCommand
from tempo_site.lib.console import arguments
from tempo_site.lib.console.tables import as_json
from tempo_site.models import ApiKey
from tempo_site.rest.keys import new_key_out

LIMITS = {
    "--script": "Limit the key to this script, like `hello-world`; may be given more than once.",
    "--folder": "Limit it to what lies in this folder, like `Ops/Nightly`; more than once too.",
}


class Command(ActingCommand):
    """Prints the key alone, so that a program can take it; with --json what the API says of a new key."""

    help = "Make an API key and print it; only its hash is stored, so it is shown this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "name", help="What the key is for; shown in lists and in the history of runs."
        )
        parser.add_argument(
            "--scope",
            choices=ApiKey.Scope.values,
            default=ApiKey.Scope.FULL.value,
            help="read: look; run: start and cancel runs too; full: everything (default).",
        )
        for option, text in LIMITS.items():
            parser.add_argument(option, action="append", default=[], metavar="NAME", help=text)
        parser.add_argument(
            "--expires",
            type=arguments.moment,
            metavar="WHEN",
            help="From when on it is refused: `2027-01-31` or `2027-01-31T12:00`, in Tempo's time zone.",
        )
        parser.add_argument(
            "--json", action="store_true", help="Print the key as in the API, with its `token`."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        is_limited = options["script"] or options["folder"]
        try:
            limits = reach.named(options["script"], options["folder"]) if is_limited else None
            key, token = keys.create(
                name=options["name"],
                scope=options["scope"],
                limits=limits,
                expires_at=options["expires"],
                now=timezone.now(),
            )
        except ValidationError as error:
            raise CommandError(f"The key was not made: {in_words(error)}") from error
        except KeyRefused as refusal:
            raise CommandError(f"The key was not made: {refusal}") from refusal
        if options["json"]:
            self.stdout.write(as_json(new_key_out(key, token).model_dump()))
        else:
            self.stdout.write(token)


def in_words(error: ValidationError) -> str:
    fields = error.message_dict.items()
    return " ".join(f"`{name}`: {' '.join(messages)}" for name, messages in fields)
