"""`tempo pauseall [--until MOMENT]`: no schedule fires until a moment, or until `resumeall`."""

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from scripts_app.api.pauses import pause_out
from scripts_app.schedules import global_pause
from scripts_app.timing.rule import TimingError
from tempo_site.audit.commands import ActingCommand
from tempo_site.lib.console import arguments, caller
from tempo_site.lib.console.tables import as_json, moment


class Command(ActingCommand):
    """Works whether Tempo is running or not."""

    help = "Pause all schedules. Runs under way and runs by hand go on."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--until",
            type=arguments.moment,
            metavar="MOMENT",
            help="Like `2026-12-01T06:00`, in the server's time zone; without it until `resumeall`.",
        )
        parser.add_argument("--json", action="store_true", help="Print the pause as in the API.")

    def handle(self, *args: Any, **options: Any) -> None:
        until = options["until"]
        try:
            pause = global_pause.pause_all(until=until, by=caller.name(), now=timezone.now())
        except TimingError as refusal:
            raise CommandError(str(refusal)) from refusal
        if options["json"]:
            self.stdout.write(as_json(pause_out(pause).model_dump()))
        else:
            end = f"until {moment(until)}" if until else "until `resumeall`"
            self.stdout.write(f"All schedules are paused {end}.")
