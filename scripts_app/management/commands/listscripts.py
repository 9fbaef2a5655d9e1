"""`tempo listscripts [--folder FOLDER] [--deleted] [--json]`: all scripts by slug."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.http import Http404
from django.utils import timezone

from scripts_app import folders, lookup
from scripts_app.api.scripts import script_out
from scripts_app.models import Script
from scripts_app.schedules import outlook
from tempo_site.lib.console.tables import as_json, moment, table

HEADINGS = ("script", "name", "folder", "version", "next start")


class Command(BaseCommand):
    """Works whether Tempo is running or not."""

    help = "List the scripts, with the next start of each."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--folder", default="", help="Those in this folder and below alone.")
        parser.add_argument(
            "--deleted", action="store_true", help="Those that were deleted and can be restored."
        )
        parser.add_argument(
            "--json", action="store_true", help="Print a JSON object a line, as in the API."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        among = Script.objects.restorable() if options["deleted"] else Script.objects.present()
        found = lookup.scripts(outlook.with_alarms(among)).order_by("slug")
        if options["folder"]:
            found = found.filter(
                folders.within(known_folder(options["folder"]), field="folder__path")
            )
        if options["json"]:
            for script in found:
                self.stdout.write(as_json(script_out(script).model_dump()))
            return
        scripts = list(found)
        outlook.set_next_starts(scripts, timezone.now())
        if not scripts:
            self.stdout.write("There are no such scripts.")
            return
        for line in table([HEADINGS, *map(cells, scripts)]):
            self.stdout.write(line)


def cells(script: Any) -> tuple[str, ...]:
    folder = script.folder.path if script.folder else "-"
    version = str(script.version.number) if script.version else "-"
    next_start = moment(script.next_at) if script.enabled else "disabled"
    return script.slug, script.name, folder, version, next_start


def known_folder(path: str) -> str:
    """Return the path as it is stored. Raises CommandError where there is no such folder."""
    try:
        return lookup.folder_at(path.strip("/")).path
    except Http404 as error:
        raise CommandError(str(error)) from error
