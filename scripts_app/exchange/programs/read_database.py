"""Print what a database of QingLong says: its tables of jobs, variables and packages, as JSON."""

import json
import sqlite3
import sys
from typing import Any

MAX_ROWS = 5000
MAX_STEPS = 20_000_000  # of SQLite's machine: a view may be anything
JOBS = "Crontabs"
TABLES = {
    JOBS: "crontabs",
    "Envs": "variables",
    "Dependences": "packages",
    "Subscriptions": "subscriptions",
}
# What is told of others: their values and private keys stay where they are.
NAMES = ("id", "name", "type")


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
    found: dict[str, Any] = {name: rows_of(database, table) for table, name in TABLES.items()}
    found["timezone"] = zone_of(database)
    sys.stdout.write(json.dumps(found))


def rows_of(database: sqlite3.Connection, table: str) -> list[dict[str, Any]]:
    try:
        rows = database.execute(f"SELECT * FROM {table} LIMIT {MAX_ROWS}").fetchall()
    except sqlite3.Error:
        return []
    names = [name for name in (rows[0].keys() if rows else ()) if table == JOBS or name in NAMES]
    return [{name: plain(row[name]) for name in names} for row in rows]


def zone_of(database: sqlite3.Connection) -> str:
    """Return the zone in which its times are meant, or "" where it does not say; log-ins lie in the same table."""
    try:
        said = database.execute("SELECT info FROM Auths WHERE type = 'systemConfig'").fetchone()
        return str(json.loads(said["info"])["timezone"])
    except (sqlite3.Error, ValueError, TypeError, KeyError, RecursionError):
        return ""


def plain(value: Any) -> Any:
    return value if isinstance(value, int | float | str) else None
