"""What a look at a script finds: where it is, how bad, why it matters, and how it can be put right."""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad a problem is: it ends a run when it is reached, it opens a door, or it looks like an oversight."""

    ERROR = "error"
    SECURITY = "security"
    WARNING = "warning"


@dataclass(frozen=True, kw_only=True)
class TextEdit:
    """The text that takes the place of another one; lines and columns count from 1, the end is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int
    content: str


@dataclass(frozen=True, kw_only=True)
class Fix:
    """How a problem can be put right: what that does, and the edits, which do not overlap."""

    message: str
    edits: tuple[TextEdit, ...]


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Where a text is wrong (`field`; lines and columns count from 1, the end is exclusive), how badly, and why.

    `code` is ruff's name of a rule, or `syntax`, `coding`, `block`, `SECRET`, `python`, `requirement`; empty:
    it was not checked.
    """

    field: str = "code"
    line: int
    column: int
    end_line: int
    end_column: int
    code: str
    message: str
    why: str = ""
    severity: Severity
    is_secret: bool = False  # it belongs among the script's variables
    fix: Fix | None = None

    @property
    def json(self) -> str:
        """What the list beside the editor is told of it."""
        return json.dumps(asdict(self))
