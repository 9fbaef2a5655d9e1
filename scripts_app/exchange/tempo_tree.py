"""Reading an export of Tempo: each folder with a `script.toml` is a script."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts_app.exchange import toml_text, version_files
from scripts_app.exchange.exporting import PLAIN
from scripts_app.exchange.items import (
    CODE,
    EXPORT,
    FILES,
    FORMAT,
    LOCK,
    REQUIREMENTS,
    SETTINGS,
    ExchangeError,
    Item,
    Row,
)
from scripts_app.exchange.parts import parts
from scripts_app.exchange.texts import read_text
from scripts_app.exchange.toml_text import NoToml
from scripts_app.scripts import SET_BY_STAFF
from tempo_site.lib import humanize

LOCKED_FOR = "locked_for"
KNOWN = {*PLAIN, "folder", "python_version", "parameters"}
# What an export leaves out as empty.
UNSAID: Row = {"folder": "", "description": "", "tags": [], "python_version": ""}
LISTS = ("schedules", "variables", "parameters")
MAX_ROWS = 500  # of a list
MAX_UNKNOWN = 5


def is_one(files: Mapping[str, Path]) -> bool:
    return any(Path(path).name in (SETTINGS, EXPORT) for path in files)


def items(files: Mapping[str, Path]) -> list[Item]:
    """Return the scripts of an export. Raise ExchangeError for one of another format."""
    for path in files:
        if Path(path).name == EXPORT:
            _check_format(path, files[path])
    folders = [str(Path(path).parent) for path in files if Path(path).name == SETTINGS]
    return [_item(folder, files) for folder in sorted(folders)]


def _check_format(name: str, path: Path) -> None:
    try:
        found = toml_text.read(path.read_bytes()).get("format")
    except NoToml as error:
        raise ExchangeError(f"`{name}`: {error}") from None
    if found != FORMAT:
        raise ExchangeError(
            f"`{name}` says format {str(found)[:20]}; this Tempo reads format {FORMAT}\n"
            "hint: update this Tempo first"
        )


def _item(folder: str, files: Mapping[str, Path]) -> Item:
    slug = humanize.safe_name(Path(folder).name) or "script"
    own = _below(f"{folder}/" if folder != "." else "", files)
    try:
        table = toml_text.read(own[SETTINGS].read_bytes())
        texts = {name: _text(name, own) for name in (CODE, REQUIREMENTS, LOCK)}
        rows = {name: _rows(name, table.pop(name, [])) for name in (*LISTS, *parts)}
        versions = version_files.found_in(own)
    except NoToml as error:
        return Item(slug=slug, settings={"name": slug}, problem=f"`{folder}/{SETTINGS}`: {error}")
    except ExchangeError as error:
        return Item(slug=slug, settings={"name": slug}, problem=f"`{folder}`: {error}")
    found = {name: value for name, value in table.items() if name in KNOWN}
    settings = {"name": slug, **UNSAID, **found, "parameters": rows["parameters"]}
    return Item(
        slug=slug,
        settings=settings,
        code=texts[CODE],
        requirements=texts[REQUIREMENTS],
        lock=texts[LOCK],
        locked_for=str(table.get(LOCKED_FOR, "")),
        schedules=rows["schedules"],
        variables=rows["variables"],
        for_staff={name: True for name in SET_BY_STAFF if table.get(name)},
        parts={name: rows[name] for name in parts if rows[name]},
        files=_below(f"{FILES}/", own),
        versions=versions,
        notes=_notes(table),
    )


def _below(prefix: str, files: Mapping[str, Path]) -> dict[str, Path]:
    return {path[len(prefix) :]: files[path] for path in files if path.startswith(prefix)}


def _text(name: str, own: Mapping[str, Path]) -> str:
    return read_text(own[name]) if name in own else ""


def _rows(name: str, value: Any) -> list[Row]:
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise ExchangeError(f"`{name}` of `{SETTINGS}` is no list of tables")
    if len(value) > MAX_ROWS:
        raise ExchangeError(f"`{name}` of `{SETTINGS}` has more than {MAX_ROWS} entries")
    return value


def _notes(table: Row) -> list[str]:
    unknown = sorted(table.keys() - KNOWN - SET_BY_STAFF.keys() - {LOCKED_FOR})
    return [f"`{name[:60]}` of `{SETTINGS}` is not known here" for name in unknown[:MAX_UNKNOWN]]
