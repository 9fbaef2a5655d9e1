"""`manage.py rotatesecrets`: encrypt all secrets anew, with another secret key."""

import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from runs_app.engine import engine
from scripts_app.variables import rotation

AFTERWARDS = "Everybody signs in again. Backups made before need the key of before."


class Command(BaseCommand):
    """Works while Tempo is stopped; broken off, it is repeated."""

    help = (
        "Encrypt all secrets with a new secret key: one made here, or PYSCHED_SECRET_KEY with the key of before in "
        "PYSCHED_OLD_SECRET_KEY. Stop Tempo first."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Rotate and say what was done."""
        try:
            lock = engine.take_lock(wait_s=0)
            done = rotation.rotate()
        except engine.DataFolderInUse:
            raise CommandError(
                "Tempo is running, and knows the old key only: stop it, then do this."
            ) from None
        except OSError as error:
            raise CommandError(
                f"{error.filename} cannot be used: {error.strerror}. All secrets can still be read; do this again."
            ) from error
        os.close(lock)
        made = " A new secret key was made." if done.has_new_key else ""
        plural = "" if done.count == 1 else "s"
        self.stdout.write(f"Encrypted {done.count} secret{plural} anew.{made} {AFTERWARDS}")
        for name in done.unreadable:
            self.stderr.write(
                f"{name} could not be decrypted with any key that is known: set it again."
            )
