"""What the file system of the data folder can do, tried once at the start."""

import contextlib
import os
import secrets
import sqlite3
from collections.abc import Callable
from functools import cache
from pathlib import Path

from tempo_site.lib import paths

NO_SHARED_MEMORY = (
    "The data folder's file system maps no shared memory, so the database keeps a rollback journal: it is slower, and"
    " readers wait for writers. hint: a local disk, or `cache.files=auto-full` for mergerfs, is better"
)
NO_SYMBOLIC_LINKS = (
    "The data folder's file system has no symbolic links, which environments need: scripts cannot run."
    " hint: mount a folder of a file system that has them at `{envs}`, and another one at `{pythons}`"
)
NO_HARD_LINKS = (
    "The data folder's file system has no hard links, so packages are copied into each environment."
)


@cache
def has_shared_memory() -> bool:
    """Return whether SQLite can keep a log (WAL) here. Its own word is not enough: it says `wal`, and then fails."""
    probe = paths.bells() / f".probe-{secrets.token_hex(4)}.sqlite3"
    try:
        with contextlib.closing(sqlite3.connect(probe, isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("CREATE TABLE probe (x)")
    except sqlite3.OperationalError as error:
        return not error.sqlite_errorname.startswith("SQLITE_IOERR_SHM")
    finally:
        for ending in ("", "-wal", "-shm", "-journal"):
            probe.with_name(probe.name + ending).unlink(missing_ok=True)
    return True


def missing_links() -> list[str]:
    """Return a sentence for each kind of link that the file system has not."""
    found = []
    if not _can(os.link, paths.data()):
        found.append(NO_HARD_LINKS)
    if not (_can(os.symlink, paths.environments()) and _can(os.symlink, paths.pythons())):
        found.append(NO_SYMBOLIC_LINKS.format(envs=paths.environments(), pythons=paths.pythons()))
    return found


def _can(link: Callable[[Path, Path], None], folder: Path) -> bool:
    name = secrets.token_hex(4)
    target, probe = folder / f".probe-{name}", folder / f".probe-{name}-link"
    target.touch(mode=0o600)
    try:
        link(target, probe)
    except OSError:
        return False
    finally:
        probe.unlink(missing_ok=True)
        target.unlink()
    return True
