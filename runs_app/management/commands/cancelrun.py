"""`tempo cancelrun RUN`: end a run, and every process it started."""

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.http import Http404
from django.utils import timezone

from runs_app import lookup
from runs_app.api.runs import run_out
from runs_app.engine import engine
from runs_app.execution import execution
from runs_app.management import watching
from tempo_site.audit.commands import ActingCommand
from tempo_site.lib.console import caller
from tempo_site.lib.console.tables import as_json


class Command(ActingCommand):
    """Works while Tempo runs. While it does not, a queued run ends at once and others when Tempo starts again."""

    help = "Cancel a run: a queued one never begins, one under way ends within its grace time."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("run", type=int, help="Its number.")
        parser.add_argument(
            "--json", action="store_true", help="Print the run as it is then, as in the API."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            run = lookup.run(options["run"])
        except Http404 as error:
            raise CommandError(str(error)) from error
        if not execution.ask_to_cancel(run, by=caller.name(), now=timezone.now()):
            raise CommandError(f"Run {run.pk} has ended already.")
        watching.ring()
        run = lookup.run(run.pk)
        if options["json"]:
            self.stdout.write(as_json(run_out(run).model_dump()))
        elif run.is_final:
            self.stdout.write(f"Run {run.pk} is cancelled.")
        elif engine.is_running():
            self.stdout.write(f"Run {run.pk} is being cancelled.")
        else:
            self.stdout.write(f"Run {run.pk} is cancelled as soon as Tempo runs again.")
