"""`manage.py qcluster`, started by habit: says where the cluster is."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser


class Command(BaseCommand):
    """Stands in for django-q2's command: a second cluster beside the engine would take its tasks."""

    help = "Says why there is no cluster of its own: it runs inside `serve`."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        # The options of django-q2's command.
        parser.add_argument("--run-once", action="store_true")
        parser.add_argument("-n", "--name")

    def handle(self, *args: Any, **options: Any) -> None:
        self.stderr.write(
            "The cluster runs inside `manage.py serve`, as threads of the web process, so that a run starts within"
            " milliseconds; there is nothing to start beside it."
        )
        sys.exit(2)
