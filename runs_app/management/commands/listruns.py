"""`tempo listruns [--script SLUG] [--status STATUS] [--limit N] [--json]`: the history, newest first."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.http import Http404

from runs_app.api.runs import run_out
from runs_app.history.run_filters import RunFilter
from runs_app.models import Run
from runs_app.search import run_lists
from runs_app.states import Kind, Status
from tempo_site.lib import humanize
from tempo_site.lib.console.arguments import whole_number
from tempo_site.lib.console.tables import as_json, moment, table

HEADINGS = ("run", "script", "status", "began", "took", "why")
LIMIT = 20
MAX_LIMIT = 1000
CHOICES = [*Status.values, "bad", "active"]


class Command(BaseCommand):
    """Works whether Tempo is running or not."""

    help = "List runs, the newest first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--script", default="", help="Runs of this script alone, by its slug.")
        parser.add_argument(
            "--status",
            choices=CHOICES,
            default="",
            help="`bad` is any bad end, `active` what has not ended.",
        )
        parser.add_argument(
            "--limit",
            type=whole_number(1, MAX_LIMIT),
            default=LIMIT,
            help=f"At most so many, up to {MAX_LIMIT} (default: {LIMIT}).",
        )
        parser.add_argument(
            "--json", action="store_true", help="Print a JSON object a line, as in the API."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = RunFilter(
            script=options["script"], status=options["status"], kind=Kind.SCRIPT.value
        )
        try:
            runs = run_lists.page(chosen, limit=options["limit"]).runs
        except Http404 as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            for run in runs:
                self.stdout.write(as_json(run_out(run).model_dump()))
        elif not runs:
            self.stdout.write("There are no such runs.")
        else:
            for line in table([HEADINGS, *map(cells, runs)]):
                self.stdout.write(line)


def cells(run: Run) -> tuple[str, ...]:
    slug = run.script.slug if run.script else "-"
    took = "-" if run.duration_s is None else humanize.span(run.duration_s)
    return run.label, slug, run.status, moment(run.started_at), took, run.explain() or "-"
