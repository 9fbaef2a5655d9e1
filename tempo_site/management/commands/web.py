"""`manage.py web`: the Django process, started by the launcher."""

import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from tempo_site import server


class Command(BaseCommand):
    """Adopts the launcher's socket; of no use by hand."""

    help = "Run the web process. The launcher starts it; you start `manage.py serve`."
    requires_system_checks: list[str] = []  # serve has checked a moment ago

    def add_arguments(self, parser: ArgumentParser) -> None:
        """No options but reload."""
        parser.add_argument("--reload", action="store_true", help="End when a source file changes.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Inherit, then serve until told to stop."""
        if "TEMPO_CONTROL_FD" not in os.environ:
            raise CommandError(
                "This process belongs below the launcher.\nhint: start `manage.py serve`"
            )
        server.inherit()
        if options["reload"]:
            server.end_on_change()
        server.WebServer().serve()
