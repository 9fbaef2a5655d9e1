"""A script outside of Tempo: what an export writes and an import reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts_app.validation import ScriptError

SCRIPTS = "scripts"  # the folder of an export that holds them
CODE, REQUIREMENTS, LOCK = "main.py", "requirements.txt", "requirements.lock"
SETTINGS, FILES, VERSIONS = "script.toml", "files", "versions"
EXPORT = "tempo.toml"
FORMAT = 1
Row = dict[str, Any]


class ExchangeError(ScriptError):
    """Something that is not imported; str() says what, why, and what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(message, field="file")


@dataclass(frozen=True, kw_only=True)
class VersionFiles:
    """Where the texts of a version lie now, and what its `.toml` says."""

    number: int
    code: Path
    requirements: Path | None
    facts: Row


@dataclass(frozen=True, kw_only=True)
class Item:
    """A script as files. `files` are paths below its `files/`, each with the place where the bytes lie now.

    `settings` are fields of the script, `for_staff` those that staff alone may switch on, `parts` rows that other apps
    keep, by their name, `versions` the history, the first one first. None: the files do not speak of it. `notes` say
    what is not taken over, or is changed.
    """

    slug: str
    settings: Row
    code: str = ""
    requirements: str | None = None
    lock: str = ""
    locked_for: str = ""  # the Python of the lock: 3.12
    schedules: Sequence[Row] | None = None
    variables: Sequence[Row] = ()
    for_staff: Row = field(default_factory=dict)
    parts: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)
    versions: Sequence[VersionFiles] = ()
    notes: Sequence[str] = ()
    problem: str = ""  # why no script can be made of it

    @property
    def name(self) -> str:
        return str(self.settings.get("name", self.slug))

    @property
    def text(self) -> dict[str, str]:
        """Return the fields of a version that the files speak of."""
        text = {"code": self.code}
        if self.requirements is not None:
            text["requirements"] = self.requirements
        if "python_version" in self.settings:
            text["python_version"] = self.settings["python_version"]
        return text

    @property
    def whole_text(self) -> dict[str, str]:
        """Return all fields of a version, for a new script."""
        return {"requirements": "", "python_version": "", **self.text}
