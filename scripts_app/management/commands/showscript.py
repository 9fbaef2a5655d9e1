"""`tempo showscript SLUG [--code] [--json]`: a script with its schedules."""

from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.http import Http404
from django.utils import timezone

from scripts_app import lookup
from scripts_app.api.schedules import schedule_out
from scripts_app.api.scripts import script_out
from scripts_app.models import Schedule, Script
from scripts_app.schedules import outlook
from tempo_site.lib.console.tables import as_json, moment


class Command(BaseCommand):
    """Works whether Tempo is running or not."""

    help = "Show a script: its version, packages, limits and schedules."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="The script's safe name: hello-world.")
        parser.add_argument("--code", action="store_true", help="Print its code and nothing else.")
        parser.add_argument(
            "--json",
            action="store_true",
            help="Print a JSON object as in the API, with its `schedules`.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            script = lookup.script(options["slug"])
        except Http404 as error:
            raise CommandError(str(error)) from error
        now = timezone.now()
        found = list(outlook.with_pause(script.schedules.order_by("pk")))
        if options["json"]:
            listed = [schedule_out(schedule, now=now).model_dump() for schedule in found]
            shown = {**script_out(script).model_dump(), "schedules": listed}
            self.stdout.write(as_json(shown))
            return
        if options["code"]:
            code = script.version.code if script.version else ""
            self.stdout.write(code, ending="")
            return
        for line in facts(script):
            self.stdout.write(line)
        for schedule in found:
            self.stdout.write(f"{'schedule':<14}{sentence(schedule)}")
            self.stdout.write(f"{'next start':<14}{moment(outlook.next_start(schedule, now))}")


def facts(script: Script) -> Iterator[str]:
    shown = script_out(script)
    yield f"{'name':<14}{shown.name}"
    yield f"{'folder':<14}{shown.folder or '-'}"
    yield f"{'enabled':<14}{'yes' if shown.enabled else 'no'}"
    yield f"{'version':<14}{shown.version}, saved {moment(shown.updated_at)}"
    if shown.environment:
        state = f"Python {shown.environment.python}, {shown.environment.state}"
        yield f"{'environment':<14}{state} {shown.environment.message}".rstrip()
    packages = ", ".join(shown.requirements.split("\n")).strip(", ")
    yield f"{'packages':<14}{packages or '-'}"
    yield f"{'limits':<14}{shown.timeout_s} s, {shown.memory_mb} MB, {shown.processes} processes"


def sentence(schedule: Schedule) -> str:
    text = schedule.describe()
    return text if schedule.enabled else f"{text} (switched off)"
