"""The problems that the checks of a script return, and their fixes."""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum


class Severity(StrEnum):
    ERROR = "error"  # ends a run
    SECURITY = "security"
    WARNING = "warning"  # looks like an oversight


@dataclass(frozen=True, kw_only=True)
class TextEdit:
    """The replacement of a part of a text; lines and columns count from 1, the end is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int
    content: str


@dataclass(frozen=True, kw_only=True)
class Fix:
    message: str
    edits: tuple[TextEdit, ...]  # without overlaps


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A place in a field of a script; lines and columns count from 1, the end is exclusive."""

    field: str = "code"
    line: int
    column: int
    end_line: int
    end_column: int
    # A rule of ruff, `syntax`, `coding`, `block`, `SECRET`, `python`, `requirement`, `package`; "": a failed check.
    code: str
    message: str
    why: str = ""
    severity: Severity
    is_secret: bool = False  # a value for the script's variables
    fix: Fix | None = None
    # Lines for the requirements that put it right; the last one names the package.
    adds: tuple[str, ...] = ()

    @property
    def json(self) -> str:
        return json.dumps(asdict(self))
