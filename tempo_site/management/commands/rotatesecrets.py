"""`manage.py rotatesecrets`: encrypt all secrets anew, with another secret key."""

import dataclasses
import os
from typing import Any

from django.core.management.base import CommandError, CommandParser

from runs_app.engine import engine
from scripts_app.variables import rotation
from tempo_site.audit.commands import ActingCommand
from tempo_site.lib.console.tables import as_json

IN_USE = "Tempo is running, and knows the old key only: stop it, then do this."
STILL_READABLE = "All secrets can still be read; do this again."
AFTERWARDS = "Everybody signs in again. Backups made before need the key of before."


class Command(ActingCommand):
    """Works while Tempo is stopped; broken off, it is repeated."""

    help = (
        "Encrypt all secrets with a new secret key: one made here, or PYSCHED_SECRET_KEY with the key of before in "
        "PYSCHED_OLD_SECRET_KEY. Stop Tempo first."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--json", action="store_true", help="Print `{count, unreadable, has_new_key}`."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            lock = engine.take_lock(wait_s=0)
            done = rotation.rotate()
        except engine.DataFolderInUse:
            raise CommandError(IN_USE) from None
        except OSError as error:
            cause = f"{error.filename} cannot be used: {error.strerror}."
            raise CommandError(f"{cause} {STILL_READABLE}") from error
        os.close(lock)
        if options["json"]:
            self.stdout.write(as_json(dataclasses.asdict(done)))
            return
        plural = "" if done.count == 1 else "s"
        report = f"Encrypted {done.count} secret{plural} anew."
        if done.has_new_key:
            report += " A new secret key was made."
        self.stdout.write(f"{report} {AFTERWARDS}")
        for name in done.unreadable:
            sentence = "could not be decrypted with any key that is known: set it again."
            self.stderr.write(f"{name} {sentence}")
