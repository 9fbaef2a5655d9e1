# /// script
# requires-python = ">=3.8"
# dependencies = []
#
# [tool.tempo]
# title = "Database dump"
# description = "Writes a compressed dump of a SQLite, PostgreSQL or MySQL database in use, and keeps the newest few."
# cron = "0 3 * * *"
#
# [tool.tempo.parameters]
# kind = {type = "choice", choices = ["sqlite", "postgres", "mysql"], default = "sqlite", help = "What it is."}
# database = {type = "text", required = true, help = "Its name; of a SQLite database the path of its file."}
# host = {type = "text", default = "localhost", help = "Where the server is; not for SQLite."}
# port = {type = "int", default = 0, min = 0, max = 65535, help = "Its port; 0: the usual one."}
# user = {type = "text", default = "", help = "The user who may read everything."}
# target = {type = "text", default = "dumps", help = "The folder for the dumps; it is made if needed."}
# keep = {type = "int", default = 7, min = 1, max = 1000, help = "How many dumps stay."}
# ///
"""Dump a database. Exit code 0: done. 1: no dump was made.

The password: make a secret variable DB_PASSWORD. It goes to the dump program in its environment, where other users
cannot see it, and never into a command line. PostgreSQL needs the program pg_dump, MySQL and MariaDB mysqldump.
"""

import gzip
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import BinaryIO


class NoDump(Exception):
    """Why there is no dump."""


def main() -> None:
    kind = os.environ.get("TEMPO_PARAM_KIND", "sqlite")
    database = os.environ.get("TEMPO_PARAM_DATABASE", "")
    target = Path(os.environ.get("TEMPO_PARAM_TARGET", "dumps")).expanduser()
    keep = int(os.environ.get("TEMPO_PARAM_KEEP", "7"))
    if not database:
        sys.exit("No dump was made: the parameter `database` is empty.")
    name = Path(database).stem
    ending = "sqlite3.gz" if kind == "sqlite" else "sql.gz"
    try:
        target.mkdir(parents=True, exist_ok=True)
        dump = write(kind, database, target / f"{name}-{datetime.now():%Y-%m-%d-%H%M%S}.{ending}")
    except (NoDump, OSError, sqlite3.Error) as error:
        sys.exit(f"No dump was made of `{database}`: {error}")
    print(f"{dump}: {dump.stat().st_size / 1e6:,.2f} MB")
    rotate(target, f"{name}-*.{ending}", keep)


def write(kind: str, database: str, dump: Path) -> Path:
    """Write the dump under another name and give it its own when it is whole."""
    unfinished = dump.with_suffix(".unfinished")
    try:
        with gzip.open(unfinished, "wb") as packed:
            if kind == "sqlite":
                copy_sqlite(Path(database), packed, dump.with_suffix(".copy"))
            else:
                copy_output(command_of(kind, database), packed)
        unfinished.replace(dump)
    finally:
        if unfinished.exists():
            unfinished.unlink()
    return dump


def copy_sqlite(database: Path, packed: "gzip.GzipFile | BinaryIO", copy: Path) -> None:
    """Copy through SQLite, which may be writing meanwhile; copying the file itself could catch it half way."""
    if not database.is_file():
        raise NoDump("there is no such file")
    address = database.resolve().as_uri() + "?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True, timeout=60)) as source, closing(
            sqlite3.connect(copy)
        ) as twin:
            source.backup(twin)
            (verdict,) = twin.execute("PRAGMA integrity_check(1)").fetchone()
        if verdict != "ok":
            raise NoDump(f"the database is damaged: {verdict}")
        with copy.open("rb") as plain:
            shutil.copyfileobj(plain, packed)
    finally:
        if copy.exists():
            copy.unlink()


def command_of(kind: str, database: str) -> "list[str]":
    """The dump program and its arguments; none of them is a secret."""
    program = {"postgres": "pg_dump", "mysql": "mysqldump"}[kind]
    path = shutil.which(program)
    if path is None:
        raise NoDump(f"the program {program} is not on this machine")
    server = [f"--host={os.environ.get('TEMPO_PARAM_HOST', 'localhost')}"]
    if os.environ.get("TEMPO_PARAM_PORT", "0") != "0":
        server.append(f"--port={os.environ['TEMPO_PARAM_PORT']}")
    if os.environ.get("TEMPO_PARAM_USER"):
        server.append(
            f"--user{'name' if kind == 'postgres' else ''}={os.environ['TEMPO_PARAM_USER']}"
        )
    if kind == "postgres":
        return [path, *server, "--no-password", f"--dbname={database}"]
    return [
        path,
        *server,
        "--single-transaction",
        "--routines",
        "--",
        database,
    ]  # "--": a name is never an option


def copy_output(command: "list[str]", packed: "gzip.GzipFile | BinaryIO") -> None:
    """Compress what a dump program writes. Its complaints go to this script's own output."""
    name = Path(command[0]).name
    environment = dict(os.environ)
    if "DB_PASSWORD" in environment:
        environment[{"pg_dump": "PGPASSWORD", "mysqldump": "MYSQL_PWD"}[name]] = environment.pop(
            "DB_PASSWORD"
        )
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as program:
        if program.stdout:
            shutil.copyfileobj(program.stdout, packed)
    if program.returncode:
        raise NoDump(f"{name} ended with exit code {program.returncode}")


def rotate(folder: Path, pattern: str, keep: int) -> None:
    """Delete all but the newest dumps; their names hold the date, so that sorting puts the oldest first."""
    dumps = sorted(folder.glob(pattern))
    for old in dumps[:-keep]:
        old.unlink()
        print(f"deleted {old.name}")
    print(f"{min(len(dumps), keep)} of at most {keep} dumps are kept")


if __name__ == "__main__":
    main()
