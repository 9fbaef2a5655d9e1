"""`manage.py backup`: make a backup now, whether Tempo runs or not."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from tempo_site.audit.commands import ActingCommand
from tempo_site.backups import making, program
from tempo_site.lib.console.tables import as_json


class Command(ActingCommand):
    """Prints the path alone, for other programs; what was left out goes to standard error."""

    help = "Make a backup of this Tempo, read it back, and print its path."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--out", help="Write it to this file (default: a new one in backups/).")
        parser.add_argument("--logs", action="store_true", help="With the output of all runs.")
        parser.add_argument("--json", action="store_true", help="Print `{path, left_out}`.")

    def handle(self, *args: Any, **options: Any) -> None:
        out = Path(options["out"]).absolute() if options["out"] else None
        try:
            path, said = making.make(out, logs=options["logs"], now=timezone.now())
        except program.BackupFailed as failure:
            raise CommandError(f"No backup was made. {failure}") from None
        left_out = [line for line in said.splitlines() if line.startswith("Left out")]
        if options["json"]:
            self.stdout.write(as_json({"path": str(path), "left_out": left_out}))
            return
        for line in left_out:
            self.stderr.write(line)
        self.stdout.write(str(path))
