"""The log of the database (WAL): the one place that copies it back into the database file, and the clean end of both.

SQLite 3.7.0 to 3.51.2 can lose pages when a checkpoint begins while another connection starts the log anew
(https://sqlite.org/wal.html#walresetbug). So no connection checkpoints by itself (`wal_autocheckpoint=0` in the
settings), and RESTART holds the write lock, so that nobody starts the log anew meanwhile.
"""

import logging
import weakref
from collections.abc import Callable
from datetime import datetime
from threading import Thread, current_thread
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from tempo_site.lib import paths

logger = logging.getLogger(__name__)

# Of waiting for readers: meanwhile nobody else can write.
BUSY_TIMEOUT_MS = 250

# Connection -> the thread that opened it.
_opened: weakref.WeakKeyDictionary[BaseDatabaseWrapper, Thread] = weakref.WeakKeyDictionary()


def when_large(*, now: datetime) -> bool:
    """Empty the log once it is larger than `journal_size_limit`, to which SQLite cuts the file of an emptied log."""
    try:
        size = paths.database_log().stat().st_size
    except FileNotFoundError:
        return False
    if size <= settings.DATABASE_LOG_BYTES:
        return False
    return _checkpoint("RESTART")


def close_database(*, is_at_work: Callable[[Thread], bool] = lambda _: False) -> None:
    """Leave the database in its file alone, without a log: for the end of the process, when nobody writes any more.

    Connections of threads that are still at work stay open, and the log with them, for the next start to read: Python's
    `sqlite3` crashes in a thread whose connection is closed by another one in the middle of a statement.
    """
    try:
        _checkpoint("TRUNCATE")
    finally:
        for wrapper, thread in list(_opened.items()):
            if not (thread.is_alive() and is_at_work(thread)):
                wrapper.inc_thread_sharing()
                wrapper.close()


def _checkpoint(mode: str) -> bool:
    # False when readers or writers were in the way: the next pass tries again.
    with connection.cursor() as cursor:
        before = cursor.execute("PRAGMA busy_timeout").fetchone()[0]
        cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        try:
            is_busy, _frames, _copied = cursor.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
        finally:
            cursor.execute(f"PRAGMA busy_timeout={before}")
    return not is_busy


def _remember(connection: BaseDatabaseWrapper, **_: Any) -> None:
    _opened[connection] = current_thread()


connection_created.connect(_remember)
