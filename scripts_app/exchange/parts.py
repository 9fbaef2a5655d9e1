"""What is kept beside scripts, and an export holds: rules, URL triggers, open paths. Each app adds its own."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scripts_app.models import OpenPath, Script

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Part:
    """Rows of a script that stand in `script.toml` under `name`."""

    name: str
    read: Callable[[Collection[int]], Mapping[int, list[Row]]]  # by the keys of scripts
    notes: Callable[[Sequence[Row]], list[str]]  # sentences about rows that would be left out
    check: Callable[[Sequence[Row]], None]  # raises ValueError for rows that store() would refuse
    store: Callable[[Sequence[tuple[Script, Sequence[Row]]]], None]  # in place of what they have
    is_for_staff: bool = False  # never taken over, only named


parts: dict[str, Part] = {}


def add(part: Part) -> None:
    parts[part.name] = part


def leave(rows: Sequence[Any]) -> None:
    """Do nothing: rows that only staff make are named in a preview and left out."""


def _open_paths_of(keys: Collection[int]) -> Mapping[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for opened in OpenPath.objects.filter(script__in=keys).order_by("path"):
        row = {"path": opened.path, "may_write": opened.may_write}
        found.setdefault(opened.script_id or 0, []).append(row)
    return found


def _notes_on_open_paths(rows: Sequence[Row]) -> list[str]:
    paths = [str(row.get("path"))[:200] for row in rows]
    return [f"`{path}` of the machine is not opened to it: staff opens it" for path in paths]


add(
    Part(
        name="open_paths",
        read=_open_paths_of,
        notes=_notes_on_open_paths,
        check=leave,
        store=leave,
        is_for_staff=True,
    )
)
