"""`manage.py createkey NAME`: make an API key."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from tempo_site.models import ApiKey


class Command(BaseCommand):
    """Prints the key alone, so that a program can take it."""

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

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            _, token = ApiKey.issue(name=options["name"], scope=options["scope"])
        except ValidationError as error:
            raise CommandError(f"The key was not made: {' '.join(error.messages)}") from error
        self.stdout.write(token)
