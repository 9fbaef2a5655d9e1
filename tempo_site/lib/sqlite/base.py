"""The backend: Django's own, but for its cursors and for whose turn it is to write."""

import contextlib
import functools
import os
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Self

from django.db import OperationalError
from django.db.backends.sqlite3 import base

# Name of the database -> held by the thread that writes.
_turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
_WRITES = ("INSERT", "UPDATE", "DELETE")
_NO_TURN = contextlib.nullcontext()


class DatabaseWrapper(base.DatabaseWrapper):
    """Lets one thread write at a time.

    SQLite lets whoever waits for the write lock sleep, up to 100 ms, and look again, and the lock goes to whoever looks
    at the right time: of fifty threads one looked in vain for 20 s. Here they wait for a lock of the process, which is
    handed on at once. Other processes wait as SQLite has it.
    """

    _has_turn = False

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        _make_for_own_user(str(conn_params["database"]))
        return super().get_new_connection(conn_params)

    def create_cursor(self, name: str | None = None) -> "ClosingCursor":
        cursor: ClosingCursor = self.connection.cursor(factory=ClosingCursor)
        cursor.wrapper = self
        return cursor

    def ask(self, query: str, params: Sequence[Any] = ()) -> Any:
        """Execute a statement that every run needs, and return its cursor: by a third of the calls of Django's way."""
        if self.queries_logged or self.execute_wrappers:
            cursor = self.cursor()
            cursor.execute(query, params)
            return cursor
        self.validate_no_broken_transaction()
        if self.connection is None:
            self.ensure_connection()
        with self.wrap_database_errors:
            return self.create_cursor(None).ask(query, params)

    def turn_for(self, query: str) -> AbstractContextManager[None]:
        """Have the turn while a statement is executed that is a transaction by itself and writes."""
        if self._has_turn or self.connection.in_transaction or not query.startswith(_WRITES):
            return _NO_TURN
        return self._turn()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        self._take_turn()
        try:
            yield
        finally:
            self._give_turn()

    def set_autocommit(
        self, autocommit: bool, force_begin_transaction_with_broken_autocommit: bool = False
    ) -> None:
        if not autocommit:
            self._take_turn()
        try:
            super().set_autocommit(autocommit, force_begin_transaction_with_broken_autocommit)
        except BaseException:
            self._give_turn()
            raise

    def commit(self) -> None:
        super().commit()
        self._give_turn()

    def rollback(self) -> None:
        super().rollback()
        self._give_turn()

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._give_turn()

    def _take_turn(self) -> None:
        turn = _turns[self.alias]
        if not turn.acquire(blocking=False):
            self.ensure_connection()
            (patience_ms,) = self.connection.execute("PRAGMA busy_timeout").fetchone()
            if not turn.acquire(timeout=patience_ms / 1000):
                raise OperationalError("database is locked")
        self._has_turn = True

    def _give_turn(self) -> None:
        if self._has_turn:
            self._has_turn = False
            _turns[self.alias].release()


# SQLite makes a missing file with what the umask leaves, and gives its log the same mode. A command may be the first.
def _make_for_own_user(name: str) -> None:
    if name.startswith(("file:", ":")):
        return
    with contextlib.suppress(OSError):  # it is there; what else is wrong SQLite says
        os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


class ClosingCursor(base.SQLiteCursorWrapper):
    """Closes itself when a statement fails.

    Python resets the statement of a failed cursor when the cursor is collected. An exception of Django's and its
    traceback refer to each other and so keep the cursor, until the garbage collector comes by in whichever thread. That
    thread then waits for the cursor's connection, which may be waiting for the write lock (seen: a GET for 21 s).
    """

    wrapper: DatabaseWrapper

    def execute(self, query: str, params: Any = None) -> Any:
        try:
            with self.wrapper.turn_for(query):
                return super().execute(query, params)
        except sqlite3.Error:
            self.close()
            raise

    def ask(self, query: str, params: Sequence[Any]) -> Self:
        try:
            with self.wrapper.turn_for(query):
                sqlite3.Cursor.execute(self, _with_marks(query), params)
        except sqlite3.Error:
            self.close()
            raise
        return self

    def executemany(self, query: str, param_list: Any) -> Any:
        try:
            with self.wrapper.turn_for(query):
                return super().executemany(query, param_list)
        except sqlite3.Error:
            self.close()
            raise


@functools.lru_cache(maxsize=64)
def _with_marks(query: str) -> str:
    # As Django does it, each time anew.
    return base.FORMAT_QMARK_REGEX.sub("?", query).replace("%%", "%")
