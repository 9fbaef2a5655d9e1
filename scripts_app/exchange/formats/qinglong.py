"""Reading QingLong: a backup (`.tgz`), its `database.sqlite`, or the `crontab.db` of older ones."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from scripts_app.crontab.parser import printable
from scripts_app.exchange import confined_program
from scripts_app.exchange.formats import command_items
from scripts_app.exchange.formats.command_items import CommandLine
from scripts_app.exchange.items import Item, Row
from scripts_app.exchange.staging import Staged
from scripts_app.exchange.texts import MAX_LIST_BYTES, read_json, read_text

DATABASES = ("database.sqlite", "crontab.db")
SQLITE = b"SQLite format 3\0"
RUNNER = "task"  # the program of QingLong that runs a file of its scripts
ENDS = ("now", "conc", "desi")  # words of its own behind a file


def database_of(files: Mapping[str, Path]) -> str:
    """Return the path of QingLong's database among files, or ""."""
    named = [path for path in files if Path(path).name in DATABASES]
    alone = [path for path in files if len(files) == 1 and _is_database(files[path])]
    return next(iter([*named, *alone]), "")


def items(path: str, staged: Staged) -> list[Item]:
    """Return the jobs of a database, with their files where these came along. Raise ExchangeError."""
    tables = _tables(staged.files[path])
    scripts = _folder_of_scripts(path, staged)
    lines = [line for row in tables["crontabs"] if (line := _line(row, scripts)) is not None]
    hidden = f"{scripts}/" if scripts else ""
    names = [str(row.get("name")) for row in tables.get("variables", ()) if row.get("name")]
    found = command_items.of_lines(lines, staged, hidden=hidden)
    return [_with_variables(item, names) for item in found]


def _is_database(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(SQLITE)) == SQLITE


def _tables(path: Path) -> Mapping[str, list[Row]]:
    if _is_database(path):
        return confined_program.ask("read_database", str(path), read=[path])
    lines = read_text(path, max_bytes=MAX_LIST_BYTES).splitlines()
    rows = [row for line in lines if isinstance(row := read_json(line), dict)]
    # The last line of a job counts: older ones were kept until the file was packed.
    jobs = {str(row.get("_id", number)): row for number, row in enumerate(rows)}
    return {"crontabs": [row for row in jobs.values() if not row.get("$$deleted")]}


def _folder_of_scripts(path: str, staged: Staged) -> str:
    above = str(Path(path).parent.parent)
    folder = "scripts" if above == "." else f"{above}/scripts"
    has_some = any(each.startswith(f"{folder}/") for each in staged.files)
    return str(staged.tree / folder) if has_some else ""


def _line(row: Row, scripts: str) -> CommandLine | None:
    command = str(row.get("command") or "").strip()
    if not command:
        return None
    more = row.get("extra_schedules") or "[]"
    extra = read_json(more) if isinstance(more, str) else more
    times = [row.get("schedule"), *(_times(extra) if isinstance(extra, list) else ())]
    labels = row.get("labels") or "[]"
    tags = read_json(labels) if isinstance(labels, str) else labels
    return CommandLine(
        command=_plain(command, scripts),
        times=[str(when) for when in times if when],
        name=printable(str(row.get("name") or ""), 200),
        tags=[str(tag) for tag in tags if tag] if isinstance(tags, list) else [],
        enabled=not row.get("isDisabled"),
    )


def _times(rows: list[Any]) -> Iterator[Any]:
    yield from (row.get("schedule") for row in rows if isinstance(row, dict))


# `task folder/file.py now` is `python3 .../folder/file.py`.
def _plain(command: str, scripts: str) -> str:
    words = command.split()
    is_python = len(words) > 1 and words[0] == RUNNER and words[1].endswith(".py")
    if not is_python:
        return command
    path = f"{scripts}/{words[1]}" if scripts else f"/ql/data/scripts/{words[1]}"
    rest = [word for word in words[2:] if word not in (*ENDS, "--")]
    return " ".join(["python3", path, *rest])


# Those are for all scripts, with the values of log-ins: none is taken over.
def _with_variables(item: Item, names: list[str]) -> Item:
    used = sorted({name for name in names if re.search(rf"\b{re.escape(name)}\b", item.code)})
    notes = [f"`{printable(name, 100)}` of QingLong is not taken over: set it" for name in used]
    return replace(item, notes=[*item.notes, *notes])
