"""`manage.py prepare`: do the set-up that `serve` needs, without starting it."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from tempo_site import checks
from tempo_site.bootstrap import bootstrap
from tempo_site.management.commands import serve


class Command(BaseCommand):
    """For images and for `make`; may be repeated at any time."""

    help = "Create the data folder, bring the database up to date, collect static files."
    requires_system_checks = [checks.TAG]

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--stopped", action="store_true", help="Refuse while Tempo runs on the data folder."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["stopped"]:
            serve.take_data_folder()  # until this process ends
        bootstrap.prepare(self.stdout.write)
