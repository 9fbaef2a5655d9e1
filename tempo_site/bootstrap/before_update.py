"""What is kept before the database is brought up to date: a whole backup, or of too much data the database alone."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from django.core.management.base import CommandError
from django.utils import timezone

from tempo_site.backups import making
from tempo_site.backups.program import BackupFailed
from tempo_site.bootstrap import snapshots
from tempo_site.lib import paths

Say = Callable[[str], None]

MB = 2**20
MAX_MB = 1024  # 10 s on a small machine, while nobody is served
# On the disk for a moment: the copy of the database, all of it packed, and the finished file.
TIMES = 3
ROOM_MB = 64
FILE_BYTES = 4096  # what a file counts at least


def keep(say: Say) -> None:
    """Make the backup or the copy, and say which. Raise CommandError without either."""
    why_not = _why_no_backup()
    if not why_not:
        try:
            path = making.make_before_update(_version(), now=timezone.now())
        except (BackupFailed, OSError) as error:
            why_not = str(error)
        else:
            say(f"A backup was made before the database is brought up to date: {path}.")
            return
    snapshot = _take_snapshot()
    say(
        f"The database was copied to {snapshot} before it is brought up to date. It is no whole backup: {why_not}"
    )


def _take_snapshot() -> Path:
    try:
        return snapshots.take()
    except (OSError, sqlite3.Error) as error:
        raise CommandError(
            f"The database was not brought up to date, as no copy could be made before: {error}.\n"
            f"hint: make room for it in {paths.backups()}"
        ) from error


def _why_no_backup() -> str:
    size = paths.database().stat().st_size + _size_of(paths.scripts(), MAX_MB * MB)
    if size > MAX_MB * MB:
        return f"database and scripts have more than {MAX_MB} MB."
    free_mb = shutil.disk_usage(paths.data()).free // MB
    needed_mb = TIMES * size // MB + ROOM_MB
    if needed_mb > free_mb:
        return f"it takes {needed_mb} MB for a short time, and {free_mb} MB are free on the disk."
    return ""


def _size_of(folder: Path, most: int) -> int:
    """Return the size of what lies in a folder in bytes, counted until it is more than `most`."""
    size = 0
    for place, _folders, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            size += max(FILE_BYTES, path.lstat().st_size) if path.is_file() else 0
        if size > most:
            break
    return size


def _version() -> str:
    with closing(sqlite3.connect(paths.database())) as database:
        return snapshots.version_of(database)
