"""The starters that a new script can begin from: read from their files, once, when they are first asked for."""

import functools
import tomllib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User

from scripts_app import scripts
from scripts_app.inputs import declarations
from scripts_app.models import Schedule, Script
from scripts_app.packages import inline_metadata
from scripts_app.schedules import schedules
from scripts_app.timing import rule
from scripts_app.validation import ScriptError

FOLDER = Path(__file__).parent / "starters"
FEATURED = ("hello", "http_check", "folder_backup")  # offered where there is no script yet


@dataclass(frozen=True, kw_only=True)
class ScriptTemplate:
    """A script as it is offered; `name` is that of its file. Nothing of it runs before somebody switches it on."""

    name: str
    title: str
    description: str
    code: str
    requirements: str
    parameters: list[dict[str, Any]]
    cron: str
    every_s: int | None

    @property
    def kind(self) -> str:
        if self.cron:
            return Schedule.Kind.CRON.value
        return Schedule.Kind.INTERVAL.value

    @property
    def rhythm(self) -> str:
        return rule.describe(rule.Timing(kind=self.kind, cron=self.cron, every_s=self.every_s))

    @property
    def packages(self) -> list[str]:
        return self.requirements.splitlines()


@functools.cache
def all_templates() -> dict[str, ScriptTemplate]:
    found = [_read(path) for path in FOLDER.glob("*.py") if path.name != "__init__.py"]
    return {starter.name: starter for starter in sorted(found, key=_place)}


def featured_templates() -> list[ScriptTemplate]:
    return [all_templates()[name] for name in FEATURED]


def find_template(name: str) -> ScriptTemplate:
    found = all_templates().get(name)
    if found is None:
        raise ScriptError(
            f"There is no template `{name[:80]}`\nhint: there are {', '.join(all_templates())}",
            field="template",
        )
    return found


def create_from_template(
    starter: ScriptTemplate, *, by: User | None, now: datetime, name: str = "", folder: str = ""
) -> Script:
    """Create a script from a starter, with its suggested schedule switched off. Raises ScriptError."""
    script = scripts.create(
        name=name or starter.title,
        folder=folder,
        description=starter.description,
        code=starter.code,
        requirements=starter.requirements,
        by=by,
        now=now,
    )
    suggestion = Schedule(
        script=script, kind=starter.kind, cron=starter.cron, every_s=starter.every_s, enabled=False
    )
    suggestion.timezone = settings.TIME_ZONE
    schedules.save(suggestion, now=now)
    return script


# Read a starter. The files are Tempo's own: tests see to it that each has a block that says all of
# this.
def _read(path: Path) -> ScriptTemplate:
    code = path.read_text(encoding="utf-8")
    block = inline_metadata.read(code)
    about = tomllib.loads("\n".join(block.lines))["tool"]["tempo"]
    return ScriptTemplate(
        name=path.stem,
        title=about["title"],
        description=about["description"],
        code=code,
        requirements="".join(f"{requirement}\n" for requirement in block.requirements or ()),
        parameters=declarations.declared_in_code(code) or [],
        cron=about.get("cron", ""),
        every_s=about.get("every_s"),
    )


def _place(starter: ScriptTemplate) -> tuple[int, str]:
    if starter.name in FEATURED:
        first = FEATURED.index(starter.name)
    else:
        first = len(FEATURED)
    return first, starter.title.casefold()
