"""Print what a database of QingLong says: its tables of jobs, variables and packages, as JSON."""

import json
import sqlite3
import sys
from typing import Any

MAX_ROWS = 5000
MAX_STEPS = 20_000_000  # of SQLite's machine: a view may be anything
TABLES = {"Crontabs": "crontabs", "Envs": "variables", "Dependences": "packages"}


def main(path: str) -> None:
    """Print the tables; one that is missing or unreadable is empty."""
    steps = 0

    def count() -> bool:
        nonlocal steps
        steps += 1000
        return steps > MAX_STEPS

    database = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
    database.execute("PRAGMA trusted_schema = OFF")
    database.row_factory = sqlite3.Row
    database.set_progress_handler(count, 1000)
    found = {name: rows_of(database, table) for table, name in TABLES.items()}
    sys.stdout.write(json.dumps(found))


def rows_of(database: sqlite3.Connection, table: str) -> list[dict[str, Any]]:
    try:
        rows = database.execute(f"SELECT * FROM {table} LIMIT {MAX_ROWS}").fetchall()
    except sqlite3.Error:
        return []
    return [{name: plain(row[name]) for name in row.keys()} for row in rows]  # noqa: SIM118


def plain(value: Any) -> Any:
    return value if isinstance(value, int | float | str) else None
