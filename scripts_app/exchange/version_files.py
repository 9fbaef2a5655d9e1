"""The versions of a script as files of an export, `versions/0001.py` and what stands beside it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from scripts_app import validation
from scripts_app.exchange import toml_text
from scripts_app.exchange.items import VERSIONS, ExchangeError, Row, VersionFiles
from scripts_app.exchange.texts import read_text
from scripts_app.exchange.toml_text import NoToml
from scripts_app.models import Version
from scripts_app.timing import rule
from scripts_app.versions.older import OlderVersion

MAX_FACTS_BYTES = 8 * 1024
MAX_NUMBER = 1_000_000
MAX_AUTHOR = 150
_CODE = re.compile(rf"{VERSIONS}/([0-9]+)\.py")
_TYPES = {"saved_at": datetime, "saved_by": str, "note": str, "python_version": str, "draft": bool}


def facts_of(version: Version) -> Row:
    facts: Row = {
        "saved_at": version.created_at,
        "saved_by": version.saved_by,
        "note": version.note,
        "python_version": version.python_version,
        "draft": version.is_draft,
    }
    return {name: value for name, value in facts.items() if value}


def found_in(own: Mapping[str, Path]) -> list[VersionFiles]:
    """Return the versions among a script's files, the first one first. Raise ExchangeError."""
    found: dict[int, VersionFiles] = {}
    for path in own:
        name = _CODE.fullmatch(path)
        if name is None:
            continue
        number = int(name[1][:12])
        if number in found or not 0 < number <= MAX_NUMBER:
            raise ExchangeError(f"`{path}` has a number that is there twice, or too large")
        stem = path.removesuffix(".py")
        found[number] = VersionFiles(
            number=number,
            code=own[path],
            requirements=own.get(f"{stem}.requirements.txt"),
            facts=_facts(f"{stem}.toml", own),
        )
    return [found[number] for number in sorted(found)]


def history(versions: Sequence[VersionFiles], *, now: datetime) -> Iterator[OlderVersion]:
    """Yield the versions as a script keeps them, each read when it is asked for. Raise ExchangeError."""
    finished = [each.number for each in versions if not each.facts.get("draft")]
    for each in versions:
        yield OlderVersion(
            number=each.number,
            code=read_text(each.code),
            requirements=read_text(each.requirements) if each.requirements else "",
            python_version=each.facts.get("python_version", ""),
            saved_at=each.facts.get("saved_at", now),
            saved_by=each.facts.get("saved_by", ""),
            note=each.facts.get("note", ""),
            is_draft=each.facts.get("draft", False),
            is_current=each.number in finished[-1:],
        )


def _facts(path: str, own: Mapping[str, Path]) -> Row:
    if path not in own:
        return {}
    text = read_text(own[path], max_bytes=MAX_FACTS_BYTES)
    try:
        table = toml_text.read(text.encode())
    except NoToml as error:
        raise ExchangeError(f"`{path}`: {error}") from None
    return {name: _checked(path, name, value) for name, value in table.items() if name in _TYPES}


def _checked(path: str, name: str, value: Any) -> Any:
    if type(value) is not _TYPES[name]:
        raise ExchangeError(f"`{name}` of `{path}` has to be of another type")
    if isinstance(value, datetime) and (value.tzinfo is None or value.year not in rule.YEARS):
        raise ExchangeError(f"`{name}` of `{path}` has to be a time with its zone")
    if name == "saved_by":
        return validation.line(value, field=name, limit=MAX_AUTHOR)
    return value
