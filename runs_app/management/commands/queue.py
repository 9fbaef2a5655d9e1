"""`manage.py queue`: what waits for what."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from runs_app.admission import explain
from runs_app.api.runs import queue_item
from runs_app.engine import engine
from tempo_site.lib.console.arguments import MAX_LINES, whole_number
from tempo_site.lib.console.tables import as_json, moment, table

MAX_ROWS = 1000
HEADINGS = ("", "run", "script", "due", "waits for")


class Command(BaseCommand):
    """The facts are this moment's and this machine's, whether Tempo is running or not."""

    help = "Show the queued runs in the order in which they begin, and what each of them waits for."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--limit",
            type=whole_number(1, MAX_LINES),
            default=MAX_ROWS,
            help=f"Show at most so many (default: {MAX_ROWS}).",
        )
        parser.add_argument(
            "--json", action="store_true", help="Print a JSON object a line, as in the API."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        items = explain.queue_page(now=timezone.now(), limit=options["limit"])
        if options["json"]:
            for item in items:
                self.stdout.write(as_json(queue_item(item).model_dump()))
            return
        if not items:
            self.stdout.write("Nothing waits.")
            return
        if not engine.is_running():
            self.stdout.write("Tempo is not running: nothing begins until it is started.")
        rows = [HEADINGS, *map(cells, items)]
        for line in table(rows):
            self.stdout.write(line)


def cells(item: explain.Waiting) -> tuple[str, ...]:
    run = item.run
    slug = run.script.slug if run.script else "-"
    return str(item.position), run.label, slug, moment(run.due_at), item.waits_for
