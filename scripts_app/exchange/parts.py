"""What other apps keep of scripts, and an export holds: each app adds its part when it is started."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scripts_app.models import Script

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Part:
    """Rows of a script that stand in `script.toml` under `name`."""

    name: str
    read: Callable[[Collection[int]], Mapping[int, list[Row]]]  # by the keys of scripts
    notes: Callable[[Sequence[Row]], list[str]]  # sentences about rows that would be left out
    store: Callable[[Script, Sequence[Row]], None]  # in place of the rows that a script has
    is_for_staff: bool = False  # never taken over, only named


parts: dict[str, Part] = {}


def add(part: Part) -> None:
    parts[part.name] = part
