"""Copies of the database in `backups/`: taken before it is brought up to date, named when it cannot be used."""

import contextlib
import sqlite3
from pathlib import Path

from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from tempo_site.backups import backup_files
from tempo_site.lib import files, paths

PREFIX = "before-update-"
WORK = (".making", ".unpacked")  # folders of backups that are being made or looked at
KEPT = 3
NAMED = 5  # backups in a message


def take() -> Path:
    """Copy the database, its log included, in one step; return the copy. The oldest of our copies go."""
    folder = paths.backups()
    paths.make_closed(folder)
    copy = folder / f"{PREFIX}{timezone.now():%Y-%m-%dT%H-%M-%S}.sqlite3"
    beside = copy.with_suffix(".tmp")
    beside.unlink(missing_ok=True)
    try:
        _copy_to(beside)
        beside.replace(copy)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    files.sync_folder(folder)
    for old in sorted(folder.glob(f"{PREFIX}*.sqlite3"))[:-KEPT]:
        old.unlink()
    return copy


def hint() -> str:
    """Return what can be done about a database that cannot be used: the newest backups and their versions."""
    whole = backup_files.listed()[:1]
    if whole:
        return f"hint: `tempo restore {whole[0].path}` puts the newest backup in its place, and moves this aside"
    found = sorted(_backups(), key=lambda path: path.stat().st_mtime, reverse=True)[:NAMED]
    if not found:
        return "hint: put a backup in its place; there is none in " + str(paths.backups())
    names = ", ".join(f"`{path}` ({_version_in_header(path)})" for path in found)
    return (
        f"hint: move it aside, with the files `{paths.DATABASE}-wal` and `{paths.DATABASE}-shm`, and put a backup in"
        f" its place: {names}; or start the version of Tempo that wrote it"
    )


def note_version(connection: BaseDatabaseWrapper) -> None:
    """Keep which version of Tempo brought the database up to date, in the field that SQLite leaves to programs."""
    numbers = [int(number) for number in settings.VERSION.split(".")]
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA user_version={numbers[0] * 10_000 + numbers[1] * 100 + numbers[2]}")


def version_of(database: sqlite3.Connection) -> str:
    """Return which Tempo brought a database up to date, for people: `Tempo 1.2.3`, or `an early Tempo`."""
    return _version(int(database.execute("PRAGMA user_version").fetchone()[0]))


def _version_in_header(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(60)
        return _version(int.from_bytes(file.read(4), "big"))


def _version(number: int) -> str:
    if not number:
        return "an early Tempo"
    return f"Tempo {number // 10_000}.{number // 100 % 100}.{number % 100}"


def _backups() -> list[Path]:
    with contextlib.suppress(OSError):
        found = paths.backups().rglob("[!.]*.sqlite3")
        return [path for path in found if path.is_file() and path.parent.name not in WORK]
    return []


def _copy_to(path: Path) -> None:
    with (
        contextlib.closing(sqlite3.connect(paths.database())) as source,
        contextlib.closing(sqlite3.connect(path)) as target,
    ):
        source.backup(target)  # all pages in one step: nobody writes in between
        target.execute("PRAGMA journal_mode=DELETE")  # so that the copy is one file
    files.sync_file(path)
