"""`tempo import PATH [--dry-run] [--on-conflict replace] [--switch-on]`: make scripts of files."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import DatabaseError
from django.utils import timezone

from scripts_app.api.exchange import item_out
from scripts_app.exchange import applying, preparing, preview, reading, staging
from scripts_app.exchange.items import ExchangeError
from scripts_app.exchange.preview import ItemChoice, Planned
from tempo_site.audit.commands import ActingCommand
from tempo_site.lib import storage_trouble
from tempo_site.lib.console.tables import as_json, table

HEADINGS = ("script", "what", "why")
OWNER = "command"


class Command(ActingCommand):
    """Works whether Tempo is running or not; environments are built when it runs."""

    help = "Make scripts of an export, of Python files, or of what Cronicle and QingLong export: all of them, or none."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", help="A folder, a .zip, a .py, or a file of another scheduler.")
        parser.add_argument(
            "--dry-run", action="store_true", help="Show what would be done, and do nothing."
        )
        parser.add_argument(
            "--on-conflict",
            choices=[choice.value for choice in ItemChoice],
            default=ItemChoice.KEEP.value,
            help="A script that is here and differs stays, is replaced, or gets a copy beside it.",
        )
        parser.add_argument(
            "--switch-on", action="store_true", help="Schedules are on as they were; else all off."
        )
        parser.add_argument(
            "--json", action="store_true", help="Print a JSON object a line, as in the API."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        act = preparing.Import(by=None, now=now, switch_on=options["switch_on"])
        choice = ItemChoice(options["on_conflict"])
        try:
            staged = staging.take_path(Path(options["path"]), owner=OWNER, now=now)
            try:
                planned = preview.plan(
                    reading.items(staged), on_conflict=choice, with_switches=act.switch_on
                )
                if options["dry_run"]:
                    planned = applying.try_out(planned, act)
                else:
                    applying.apply(planned, staged, act)
            finally:
                staging.discard_unless_wanted(staged)
        except ExchangeError as refusal:
            raise CommandError(str(refusal)) from refusal
        except (OSError, DatabaseError) as error:
            trouble = storage_trouble.trouble_of(error)
            if trouble is None:
                raise
            raise CommandError(f"Nothing was imported. {trouble}") from error
        if act.is_unplaced:
            self.stderr.write(applying.UNPLACED)
        self.show(planned, as_lines_of_json=options["json"])

    def show(self, planned: list[Planned], *, as_lines_of_json: bool) -> None:
        """Print what became of each script, then what is left to be done."""
        if as_lines_of_json:
            for each in planned:
                self.stdout.write(as_json(item_out(each).model_dump()))
            return
        rows = [(each.item.slug, each.action.value, each.reason) for each in planned]
        for line in table([HEADINGS, *rows]):
            self.stdout.write(line)
        for each in planned:
            for note in each.notes:
                self.stdout.write(f"{each.item.slug}: {note}")
