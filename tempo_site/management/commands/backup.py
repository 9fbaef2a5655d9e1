"""`manage.py backup`: make a backup now, whether Tempo runs or not."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from tempo_site.backups import making, program


class Command(BaseCommand):
    """Prints the path alone, for other programs; what was left out goes to standard error."""

    help = "Make a backup of this Tempo, read it back, and print its path."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--out", help="Write it to this file (default: a new one in backups/).")
        parser.add_argument("--logs", action="store_true", help="With the output of all runs.")

    def handle(self, *args: Any, **options: Any) -> None:
        out = Path(options["out"]).absolute() if options["out"] else None
        try:
            path, said = making.make(out, logs=options["logs"], now=timezone.now())
        except program.BackupFailed as failure:
            raise CommandError(f"No backup was made. {failure}") from None
        for line in said.splitlines():
            if line.startswith("Left out"):
                self.stderr.write(line)
        self.stdout.write(str(path))
