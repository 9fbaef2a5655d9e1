"""The backend: Django's own, but for its cursors."""

import sqlite3
from typing import Any

from django.db.backends.sqlite3 import base


class DatabaseWrapper(base.DatabaseWrapper):
    def create_cursor(self, name: str | None = None) -> "Cursor":
        cursor: Cursor = self.connection.cursor(factory=Cursor)
        return cursor


class Cursor(base.SQLiteCursorWrapper):
    """Closes itself when a statement fails.

    Python resets the statement of a failed cursor when the cursor is collected. An exception of Django's and its
    traceback refer to each other and so keep the cursor, until the garbage collector comes by in whichever thread. That
    thread then waits for the cursor's connection, which may be waiting for the write lock (seen: a GET for 21 s).
    """

    def execute(self, query: str, params: Any = None) -> Any:
        try:
            return super().execute(query, params)
        except sqlite3.Error:
            self.close()
            raise

    def executemany(self, query: str, param_list: Any) -> Any:
        try:
            return super().executemany(query, param_list)
        except sqlite3.Error:
            self.close()
            raise
