"""Reading QingLong: a backup (`.tgz`), its `database.sqlite`, or the `crontab.db` of older ones."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

from packaging.utils import canonicalize_name

from scripts_app.crontab.parser import printable
from scripts_app.exchange import confined_program
from scripts_app.exchange.formats import command_items, python_files
from scripts_app.exchange.formats.command_items import CommandLine
from scripts_app.exchange.items import Item, Row
from scripts_app.exchange.staging import Staged
from scripts_app.exchange.texts import MAX_LIST_BYTES, read_json, read_text
from scripts_app.packages import suggestions

DATABASES = ("database.sqlite", "crontab.db")
SQLITE = b"SQLite format 3\0"
RUNNER = "task"  # the program of QingLong that runs a file of its scripts
ENDS = ("now", "conc", "desi")  # words of its own behind a file
FOLDERS = ("/ql/data/scripts/", "/ql/scripts/")
PYTHON_PACKAGE = 1  # of the kinds of packages
OVERLAPS: Mapping[Any, str] = {0: "replace", 1: "parallel"}
LEFT_OUT = {
    "task_before": "before it QingLong ran `{value}`: add that to its code",
    "task_after": "behind it QingLong ran `{value}`: add that to its code",
    "work_dir": "it worked in `{value}`: here it works in a folder of its own",
}
ZONE = "Asia/Shanghai"  # where nothing else is set
_AT_START = "@reboot"
_END_OF_NAME = re.compile(r"[^A-Za-z0-9._-]")


def database_of(files: Mapping[str, Path]) -> str:
    """Return the path of QingLong's database among files, or ""."""
    named = [path for path in files if Path(path).name in DATABASES]
    alone = [path for path in files if len(files) == 1 and _is_database(files[path])]
    return next(iter([*named, *alone]), "")


def items(path: str, staged: Staged) -> list[Item]:
    """Return the jobs of a database, with their files where these came along. Raise ExchangeError."""
    tables = _tables(staged.files[path])
    scripts = _folder_of_scripts(path, staged)
    subscriptions = {row.get("id"): str(row.get("name")) for row in tables.get("subscriptions", ())}
    zone = str(tables.get("timezone"))
    if zone not in available_timezones():
        zone = ZONE
    lines = []
    for row in tables["crontabs"]:
        if str(row.get("command") or "").strip():
            lines.append(replace(_line(row, scripts, subscriptions), zone=zone))
    hidden = f"{scripts}/" if scripts else ""
    names = [str(row.get("name")) for row in tables.get("variables", ()) if row.get("name")]
    packages = [row for row in tables.get("packages", ()) if row.get("type") == PYTHON_PACKAGE]
    found = command_items.of_lines(lines, staged, hidden=hidden)
    return [_with_variables(_with_packages(item, packages), names) for item in found]


def _is_database(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(SQLITE)) == SQLITE


def _tables(path: Path) -> Mapping[str, Any]:
    if _is_database(path):
        return confined_program.ask("read_database", str(path), read=[path])
    lines = read_text(path, max_bytes=MAX_LIST_BYTES).splitlines()
    rows = [row for line in lines if isinstance(row := read_json(line), dict)]
    # The last line of a job counts: older ones were kept until the file was packed.
    jobs = {str(row.get("_id", number)): row for number, row in enumerate(rows)}
    return {"crontabs": [row for row in jobs.values() if not row.get("$$deleted")]}


def _folder_of_scripts(path: str, staged: Staged) -> str:
    above = str(Path(path).parent.parent)
    folder = f"{above}/scripts".removeprefix("./")
    has_some = any(each.startswith(f"{folder}/") for each in staged.files)
    if not has_some:
        return ""
    return str(staged.tree / folder)


def _list_in(value: Any) -> list[Any]:
    # As it is or as JSON; anything else is none.
    if isinstance(value, str) and value:
        value = read_json(value)
    if not isinstance(value, list):
        return []
    return value


def _line(row: Row, scripts: str, subscriptions: Mapping[Any, str]) -> CommandLine:
    return CommandLine(
        command=_plain(str(row["command"]).strip(), scripts),
        times=list(_times(row)),
        name=printable(str(row.get("name") or ""), 200),
        tags=[str(tag) for tag in _list_in(row.get("labels")) if tag],
        enabled=not row.get("isDisabled"),
        overlap=OVERLAPS.get(row.get("allow_multiple_instances"), ""),
        notes=list(_notes(row, subscriptions)),
    )


def _times(row: Row) -> Iterator[str]:
    for source in (row, *_list_in(row.get("extra_schedules"))):
        if not isinstance(source, dict):
            continue
        when = str(source.get("schedule") or "")
        if when.startswith("@boot"):
            yield _AT_START
        elif when and not when.startswith("@once"):
            yield when


def _notes(row: Row, subscriptions: Mapping[Any, str]) -> Iterator[str]:
    if str(row.get("schedule")).startswith("@once"):
        yield "no schedule: it was started by hand"
    for name, sentence in LEFT_OUT.items():
        if row.get(name):
            yield sentence.format(value=printable(str(row[name]), 200))
    if row.get("sub_id"):
        name = printable(subscriptions.get(row["sub_id"], str(row["sub_id"])), 100)
        yield f"its file came by the subscription `{name}`: nothing brings newer ones here"


# `task folder/file.py now` is `python3 .../folder/file.py`; without its first word it is the same.
def _plain(command: str, scripts: str) -> str:
    words = command.split()
    if words[0] == RUNNER:
        words = words[1:]
    if not words or not words[0].endswith(".py"):
        return command
    path = words[0]
    for folder in FOLDERS:
        path = path.removeprefix(folder)
    if not path.startswith("/"):
        folder = FOLDERS[0]
        if scripts:
            folder = f"{scripts}/"
        path = f"{folder}{path}"
    rest = [word for word in words[1:] if word not in (*ENDS, "--")]
    return " ".join(["python3", path, *rest])


# QingLong installs packages for all scripts: those that a code imports are its own here, in the version that it had.
def _with_packages(item: Item, packages: list[Row]) -> Item:
    wanted = {_package(line): line for line in (item.requirements or "").split()}
    imported = {_package(suggestions.package_of(name)) for name in python_files.imported(item.code)}
    for row in packages:
        line = str(row.get("name")).strip()
        if _package(line) in imported | wanted.keys():
            wanted[_package(line)] = line
    return replace(item, requirements="".join(f"{line}\n" for line in wanted.values()) or None)


def _package(line: str) -> str:
    return canonicalize_name(_END_OF_NAME.split(line)[0])


# Those are for all scripts, with the values of log-ins: none is taken over.
def _with_variables(item: Item, names: list[str]) -> Item:
    used = sorted({name for name in names if re.search(rf"\b{re.escape(name)}\b", item.code)})
    notes = [f"`{printable(name, 100)}` of QingLong is not taken over: set it" for name in used]
    return replace(item, notes=[*item.notes, *notes])
