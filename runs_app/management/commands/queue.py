"""`manage.py queue`: what waits for what."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from runs_app.admission import explain
from runs_app.engine import engine

MAX_ROWS = 1000


class Command(BaseCommand):
    """The facts are this moment's and this machine's, whether Tempo is running or not."""

    help = "Show the queued runs in the order in which they begin, and what each of them waits for."

    def add_arguments(self, parser: CommandParser) -> None:
        """How many."""
        parser.add_argument(
            "--limit",
            type=int,
            default=MAX_ROWS,
            help=f"Show at most so many (default: {MAX_ROWS}).",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the table."""
        items = explain.queue_page(now=timezone.now(), limit=max(1, options["limit"]))
        if not items:
            self.stdout.write("Nothing waits.")
            return
        if not engine.is_running():
            self.stdout.write("Tempo is not running: nothing begins until it is started.")
        for line in table([("", "run", "script", "due", "waits for"), *map(cells, items)]):
            self.stdout.write(line)


def cells(item: explain.Waiting) -> tuple[str, ...]:
    """A queued run as a line of the table."""
    due = f"{timezone.localtime(item.run.due_at):%Y-%m-%d %H:%M:%S %Z}" if item.run.due_at else "-"
    slug = item.run.script.slug if item.run.script else "-"
    return str(item.position), f"#{item.run.pk}", slug, due, item.waits_for


def table(rows: list[tuple[str, ...]]) -> list[str]:
    """Columns side by side, each as wide as its longest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
