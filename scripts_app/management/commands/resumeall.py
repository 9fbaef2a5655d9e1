"""`tempo resumeall`: the end of the pause of all schedules."""

from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from scripts_app.api.pauses import pause_out
from scripts_app.schedules import global_pause
from tempo_site.audit.commands import ActingCommand
from tempo_site.lib.console import caller
from tempo_site.lib.console.tables import as_json


class Command(ActingCommand):
    """Works whether Tempo is running or not."""

    help = "Let the schedules fire again; starts that were due meanwhile are recorded as skipped."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print the pause as in the API.")

    def handle(self, *args: Any, **options: Any) -> None:
        ended = global_pause.resume_all(by=caller.name(), now=timezone.now())
        if options["json"]:
            self.stdout.write(as_json(pause_out(None).model_dump()))
        elif ended:
            self.stdout.write("All schedules fire again.")
        else:
            self.stdout.write("The schedules were not paused.")
