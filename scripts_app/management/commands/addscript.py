"""`tempo addscript FILE [--requirements FILE] [--cron LINE]`: make a script of a file."""

import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from scripts_app import lookup, scripts
from scripts_app.api.scripts import script_out
from scripts_app.models import Schedule, Script
from scripts_app.schedules import schedules
from scripts_app.scripts import ScriptError
from scripts_app.timing.rule import TimingError
from tempo_site.audit.commands import ActingCommand
from tempo_site.lib.console.arguments import MISUSED
from tempo_site.lib.console.tables import as_json

STDIN = "-"
MAX_BYTES = 4 * 2**20  # more than a text may have: the script's own check says how much that is


class Command(ActingCommand):
    """Works whether Tempo is running or not; the environment is built when it runs."""

    help = "Make a script of a file, with its packages and a schedule if they are given."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="The Python file; `-` is standard input.")
        parser.add_argument("--name", default="", help="Its name; without it that of the file.")
        parser.add_argument("--folder", default="", help="Like `Ops/Nightly`; made when missing.")
        parser.add_argument("--requirements", default="", help="A file with its packages.")
        parser.add_argument("--python", default="", help="Like `3.12`; without it the server's.")
        parser.add_argument("--cron", default="", help='When it runs: "30 2 * * *".')
        parser.add_argument("--zone", default="", help="Time zone of --cron; else the server's.")
        parser.add_argument("--json", action="store_true", help="Print the script as in the API.")

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["name"]
        if not name and options["file"] == STDIN:
            sentence = "A script from standard input needs a name.\nhint: add --name NAME"
            raise CommandError(sentence, returncode=MISUSED)
        if options["zone"] and not options["cron"]:
            sentence = "--zone is that of a schedule.\nhint: add --cron"
            raise CommandError(sentence, returncode=MISUSED)
        code = read_text(options["file"])
        requirements = read_text(options["requirements"]) if options["requirements"] else ""
        try:
            with transaction.atomic():
                script = scripts.create(
                    name=name or Path(options["file"]).stem,
                    folder=options["folder"],
                    code=code,
                    requirements=requirements,
                    python_version=options["python"],
                    by=None,
                    now=timezone.now(),
                )
                if options["cron"]:
                    add_schedule(script, options["cron"], options["zone"])
        except (ScriptError, TimingError) as refusal:
            raise CommandError(str(refusal)) from refusal
        if options["json"]:
            self.stdout.write(as_json(script_out(lookup.script(script.slug)).model_dump()))
        else:
            self.stdout.write(f"Made {script.slug}.")


def add_schedule(script: Script, cron: str, zone: str) -> None:
    schedule = Schedule(
        script=script,
        kind=Schedule.Kind.CRON,
        cron=cron,
        timezone=zone or settings.TIME_ZONE,
    )
    schedules.save(schedule, now=timezone.now())


def read_text(name: str) -> str:
    """Return the text of a file. Raises CommandError."""
    try:
        if name == STDIN:
            content = sys.stdin.buffer.read(MAX_BYTES)
        else:
            with Path(name).open("rb") as file:
                content = file.read(MAX_BYTES)
        return content.decode()
    except OSError as error:
        raise CommandError(f"`{name}` cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise CommandError(f"`{name}` is no text in UTF-8.") from error
