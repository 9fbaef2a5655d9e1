"""A copy of the database: all pages in one step while others write, checked, one file, and what it holds counted."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tempo_site.backups.archive.manifest import BackupError


def make(source: Path, target: Path) -> dict[str, Any]:
    """Copy the database and return what the manifest says of it. Raise BackupError and sqlite3.Error."""
    with (
        closing(sqlite3.connect(f"file:{quote(str(source))}?mode=ro", uri=True)) as original,
        closing(sqlite3.connect(target)) as copy,
    ):
        copy.execute("PRAGMA synchronous=OFF")  # it is read back, and what counts is synced then
        # In steps it would begin anew with each write of another process, and never end.
        original.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
    target.chmod(0o600)
    return look(target)


def look(path: Path) -> dict[str, Any]:
    """Check a database that nobody writes to, and return its counts and versions. Raise BackupError."""
    address = f"file:{quote(str(path))}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(address, uri=True)) as database:
            found = database.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if found != "ok":
                raise BackupError(f"The database is damaged: {' '.join(str(found).split())}")
            return {
                "sqlite": sqlite3.sqlite_version,
                "migrations": _newest_migrations(database),
                "counts": _counts(database),
            }
    except sqlite3.DatabaseError as error:
        raise BackupError(f"The database is damaged: {error}") from error


def _newest_migrations(database: sqlite3.Connection) -> dict[str, str]:
    rows = database.execute(
        "SELECT app, max(name) FROM django_migrations GROUP BY app ORDER BY app"
    )
    return dict(rows.fetchall())


def _counts(database: sqlite3.Connection) -> dict[str, int]:
    rows = database.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
    )
    counts = {}
    for (name,) in rows.fetchall():
        counts[name] = database.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]
    return counts
