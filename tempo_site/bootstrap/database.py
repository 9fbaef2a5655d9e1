"""The database before its use: judged while it is untouched, given its journal, brought up to date in one step."""

import contextlib
import gc
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor

from tempo_site.backups import versions
from tempo_site.bootstrap import before_update, file_system, snapshots
from tempo_site.lib import files, paths

Say = Callable[[str], None]

# 500 MB take 1 s; of a larger or slower database a part is looked at. Less where the last Tempo ended in order: every
# start would wait for what backups read from end to end.
MAX_CHECK_S = 2.0
MAX_CHECK_AFTER_STOP_S = 0.25
INTERRUPT_EVERY_S = 0.01
EMPTY = "empty.sqlite3"  # beside the code, made with the image
MAGIC = b"SQLite format 3\0"


class Unusable(Exception):
    """What was found, in a sentence without its beginning."""


def refuse_unusable() -> None:
    """Raise CommandError, naming the backups, when the database must not be used; no byte of it is changed."""
    try:
        _look()
    except Unusable as problem:
        raise CommandError(
            f"The database {paths.database()} {problem}. Nothing was changed.\n{snapshots.hint()}"
        ) from None


def begin() -> None:
    """Begin a new data folder with the image's empty database, which is up to date: migrations take two seconds."""
    ready = settings.BASE_DIR / EMPTY
    if ready.is_file() and not paths.database().exists():
        files.write_atomic(paths.database(), ready.read_bytes())


def choose_journal(say: Say) -> None:
    """Keep the log in a file of its own (WAL), or a rollback journal where the file system maps no shared memory.

    The choice is kept in the database's file, so that every other connection finds it there.
    """
    wanted = "wal" if file_system.has_shared_memory() else "delete"
    with contextlib.closing(sqlite3.connect(paths.database(), isolation_level=None)) as database:
        if wanted == "delete":
            # Without shared memory a database with such a log is read by nobody but its exclusive owner.
            database.execute("PRAGMA locking_mode=EXCLUSIVE")
            say(file_system.NO_SHARED_MEMORY)
        found = database.execute("PRAGMA journal_mode").fetchone()[0]
        if found != wanted:
            database.execute(f"PRAGMA journal_mode={wanted}")


def migrate(say: Say) -> None:
    """Bring the database up to date: all migrations or none, whenever the process ends. Raises CommandError.

    A backup is kept in `backups/` before.
    """
    executor = MigrationExecutor(connection)
    if not executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return
    if executor.loader.applied_migrations:
        before_update.keep(say)
    try:
        _migrate_in_one_transaction()
    except Exception as error:
        raise CommandError(
            f"The database could not be brought up to date: {error}. It is as it was before.\n"
            "hint: start the version of Tempo that ran before, and report this"
        ) from error
    say("Database is up to date.")


def _migrate_in_one_transaction() -> None:
    gc.enable()  # off since `manage.py`; each migration leaves the tables of the one before
    # SQLite takes the switch of foreign keys outside of transactions only; each migration checks them at its end.
    connection.disable_constraint_checking()
    try:
        with transaction.atomic():
            call_command("migrate", verbosity=0, interactive=False)
            _read_every_table()
            snapshots.note_version(connection)
    finally:
        connection.enable_constraint_checking()


def _read_every_table() -> None:
    # Before the commit: a database that this Tempo cannot work with is put back as it was.
    for model in apps.get_models():
        if model._meta.managed:
            model._base_manager.first()


# --- the look ------------------------------------------------------------------------------------------------------
def _look() -> None:
    path = paths.database()
    size = _size(path)
    if size == 0:
        what = "is empty" if path.exists() else "is missing"
        _refuse_beside_content(what)
        return
    _look_at_header(path, size)
    if _size(_beside(path, "-journal")) > 0:
        return  # a write was cut off: SQLite takes it back when the database is opened
    if _size(_beside(path, "-wal")) > 0 and not file_system.has_shared_memory():
        return
    was_stopped = not _beside(path, "-wal").exists()  # the log goes with the last connection
    try:
        with contextlib.closing(_open_unchanged(path)) as database:
            _look_inside(database, MAX_CHECK_AFTER_STOP_S if was_stopped else MAX_CHECK_S)
    except sqlite3.OperationalError as error:
        raise Unusable(f"cannot be read: {error}") from error
    except sqlite3.DatabaseError as error:
        raise Unusable(f"is damaged: {error}") from error


def _refuse_beside_content(what: str) -> None:
    found = []
    for folder in (paths.scripts(), paths.runs()):
        with contextlib.suppress(OSError):
            count = sum(1 for entry in folder.iterdir() if entry.is_dir())
            if count:
                found.append(f"{folder.name}/ holds {count} folder{'s' if count > 1 else ''}")
    if found:
        raise Unusable(f"{what}, but {' and '.join(found)}")


def _look_at_header(path: Path, size: int) -> None:
    try:
        with path.open("rb") as file:
            header = file.read(100)
    except OSError as error:
        raise Unusable(f"cannot be read: {error.strerror}") from error
    if len(header) < 100 or not header.startswith(MAGIC):
        raise Unusable("is no SQLite database: its beginning is damaged")
    page_bytes = int.from_bytes(header[16:18], "big")
    page_bytes = 65536 if page_bytes == 1 else page_bytes
    pages = int.from_bytes(header[28:32], "big")
    has_log = _size(_beside(path, "-wal")) > 0  # may hold the pages that are missing here
    if size < pages * page_bytes and not has_log:
        raise Unusable(f"was cut off: it has {size} bytes and should have {pages * page_bytes}")


def _open_unchanged(path: Path) -> sqlite3.Connection:
    # Read-only, a database keeps its log. Without a log `immutable` keeps SQLite from making an empty one.
    mode = "mode=ro" if _size(_beside(path, "-wal")) > 0 else "immutable=1"
    address = f"{path.resolve().as_uri()}?{mode}"
    return sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)


def _look_inside(database: sqlite3.Connection, max_check_s: float) -> None:
    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
    if "django_migrations" not in tables:
        _refuse_beside_content("has no tables")
        return
    _refuse_newer(database)
    found = _quick_check(database, max_check_s)
    if found != "ok":
        raise Unusable(f"is damaged: {' '.join(found.split())}")


def _quick_check(database: sqlite3.Connection, max_s: float) -> str:
    # By another thread: SQLite asks no progress handler while it follows the pages of a table.
    is_done = threading.Event()
    thread = threading.Thread(target=_interrupt, args=(database, is_done, max_s))
    thread.start()
    try:
        return str(database.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            return "ok"  # nothing was found in the time there is
        raise
    finally:
        is_done.set()
        thread.join()


def _interrupt(database: sqlite3.Connection, is_done: threading.Event, wait_s: float) -> None:
    while not is_done.wait(wait_s):
        database.interrupt()  # no use before the statement has begun, so again
        wait_s = INTERRUPT_EVERY_S


def _refuse_newer(database: sqlite3.Connection) -> None:
    applied: dict[str, str] = {}
    for app, name in database.execute("SELECT app, name FROM django_migrations"):
        applied[app] = max(name, applied.get(app, ""))
    found = versions.newer(applied)
    if found:
        label, theirs, ours = found
        raise Unusable(
            f"was written by a newer version, {snapshots.version_of(database)}: it has {label} {theirs}, and this is"
            f" Tempo {settings.VERSION}, which ends with {ours}"
        )


def _beside(path: Path, ending: str) -> Path:
    real = path.resolve()
    return real.with_name(real.name + ending)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
