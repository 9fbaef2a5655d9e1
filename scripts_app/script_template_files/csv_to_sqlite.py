# /// script
# requires-python = ">=3.8"
# dependencies = []
#
# [tool.tempo]
# title = "CSV to SQLite (ETL)"
# description = "Reads sales from a CSV file, checks each line and loads them into a database; safe to run twice."
# cron = "0 6 * * 1-5"
#
# [tool.tempo.parameters]
# file = {type = "text", default = "sales.csv", required = true, help = "The file: one of the script's, or a path."}
# database = {type = "text", default = "sales.sqlite3", required = true, help = "The database; made if needed."}
# delimiter = {type = "choice", choices = ["comma", "semicolon", "tab"], default = "comma", help = "Parts columns."}
# skip_bad_lines = {type = "bool", default = false, help = "Load the good lines even if others are wrong."}
# ///
"""Extract, transform, load. Exit code 0: loaded. 1: nothing was loaded, or bad lines were left out.

The file has a line of names and the columns id, date (2026-11-24), product, quantity (3) and price (9.90). For a file
of your own change SCHEMA, INSERT and transform(). A line whose id is known already replaces the old one.
"""

import csv
import os
import sqlite3
import sys
from contextlib import closing
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t"}
SCHEMA = """
CREATE TABLE IF NOT EXISTS sales (
    id TEXT PRIMARY KEY, date TEXT NOT NULL, product TEXT NOT NULL, quantity INTEGER NOT NULL, cents INTEGER NOT NULL
)"""
INSERT = "INSERT OR REPLACE INTO sales VALUES (:id, :date, :product, :quantity, :cents)"
REPORT = (
    "SELECT substr(date, 1, 7), count(*), sum(quantity * cents) FROM sales GROUP BY 1 ORDER BY 1"
)


def main() -> None:
    source = Path(os.environ.get("TEMPO_PARAM_FILE", "sales.csv"))
    database = os.environ.get("TEMPO_PARAM_DATABASE", "sales.sqlite3")
    skip_bad_lines = os.environ.get("TEMPO_PARAM_SKIP_BAD_LINES", "false") == "true"
    try:
        rows, problems = extract(source)
    except FileNotFoundError:
        sys.exit(
            f"There is no file `{source}`: put it among the files of this script, or name another one."
        )
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        sys.exit(f"`{source}` cannot be read: {error}")
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems and not skip_bad_lines:
        sys.exit(f"Nothing was loaded: {len(problems)} bad lines in {source}.")
    try:
        load(rows, database)
    except sqlite3.Error as error:
        sys.exit(f"Nothing was loaded: `{database}`: {error}")
    if problems:
        sys.exit(f"{len(problems)} bad lines were left out.")


def extract(source: Path) -> "tuple[list[dict[str, object]], list[str]]":
    """Read all lines; return the good ones transformed, and a sentence for each bad one."""
    delimiter = DELIMITERS[os.environ.get("TEMPO_PARAM_DELIMITER", "comma")]
    rows, problems = [], []
    with source.open(
        newline="", encoding="utf-8-sig"
    ) as lines:  # -sig: Excel writes an invisible mark at the start
        reader = csv.DictReader(lines, delimiter=delimiter)
        for line in reader:
            try:
                rows.append(transform(line))
            except (KeyError, ValueError, TypeError, InvalidOperation, AttributeError) as error:
                problems.append(f"line {reader.line_num}: {describe(error)}")
    print(f"{source}: {len(rows):,} good lines, {len(problems):,} bad ones")
    return rows, problems


def transform(line: "dict[str, str]") -> "dict[str, object]":
    """Turn the texts of a line into values, or raise an error. Money is counted in cents: floats would round."""
    cents = Decimal(line["price"].strip()) * 100
    if cents != int(cents):
        raise ValueError(f"price {line['price']} has more than two decimals")
    if not line["id"].strip():
        raise ValueError("id is empty")
    return {
        "id": line["id"].strip(),
        "date": date(*map(int, line["date"].strip().split("-"))).isoformat(),
        "product": line["product"].strip(),
        "quantity": int(line["quantity"]),
        "cents": int(cents),
    }


def describe(error: Exception) -> str:
    """An error in words."""
    if isinstance(error, KeyError):
        return f"there is no column {error}"
    return (
        "a number or a column is missing"
        if isinstance(error, (InvalidOperation, AttributeError))
        else str(error)
    )


def load(rows: "list[dict[str, object]]", database: str) -> None:
    """Store the rows, all or none of them, and print the sums by month."""
    with closing(sqlite3.connect(database, timeout=30)) as connection:
        with connection:  # one transaction: committed at its end, rolled back by an error
            connection.execute(SCHEMA)
            connection.executemany(INSERT, rows)
        for month, count, cents in connection.execute(REPORT):
            print(f"{month}: {count:,} sales, {cents / 100:,.2f}")


if __name__ == "__main__":
    main()
