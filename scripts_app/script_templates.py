"""The templates that a new script can begin from: each file in `script_template_files/` is one."""

import functools
import tomllib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User

from scripts_app import limits, scripts
from scripts_app.inputs import declarations
from scripts_app.models import Schedule, Script
from scripts_app.packages import inline_metadata
from scripts_app.schedules import schedules
from scripts_app.timing import rule
from scripts_app.validation import ScriptError

FOLDER = Path(__file__).parent / "script_template_files"
FEATURED = ("hello", "http_check", "folder_backup")  # offered where there is no script yet


@dataclass(frozen=True, kw_only=True)
class ScriptTemplate:
    """A finished script with a suggested schedule; `name` is the name of the file."""

    name: str
    title: str
    description: str
    code: str
    requirements: str
    parameters: list[dict[str, Any]]
    cron: str
    every_s: int | None
    memory_mb: int | None  # more than other scripts need

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
    """Return all templates by name: the featured templates first, then the others by title."""
    templates = []
    for path in FOLDER.glob("*.py"):
        if path.name != "__init__.py":
            templates.append(_read_template(path))
    templates.sort(key=_sort_key)
    return {template.name: template for template in templates}


def featured_templates() -> list[ScriptTemplate]:
    return [all_templates()[name] for name in FEATURED]


def find_template(name: str) -> ScriptTemplate:
    template = all_templates().get(name)
    if template is None:
        names = ", ".join(all_templates())
        raise ScriptError(
            f"There is no template `{name[:80]}`\nhint: there are {names}", field="template"
        )
    return template


def create_from_template(
    template: ScriptTemplate, *, by: User | None, now: datetime, name: str = "", folder: str = ""
) -> Script:
    """Create a script from a template, with the suggested schedule switched off. Raise ScriptError."""
    chosen: dict[str, Any] = {}
    if template.memory_mb:
        chosen["memory_mb"] = limits.LIMITS["memory_mb"].within(template.memory_mb)
    script = scripts.create(
        name=name or template.title,
        folder=folder,
        description=template.description,
        code=template.code,
        requirements=template.requirements,
        by=by,
        now=now,
        **chosen,
    )
    schedule = Schedule(
        script=script,
        kind=template.kind,
        cron=template.cron,
        every_s=template.every_s,
        timezone=settings.TIME_ZONE,
        enabled=False,
    )
    schedules.save(schedule, now=now)
    return script


# The files are Tempo's own: tests make sure that each block is complete.
def _read_template(path: Path) -> ScriptTemplate:
    code = path.read_text(encoding="utf-8")
    block = inline_metadata.read(code)
    about = tomllib.loads("\n".join(block.lines))["tool"]["tempo"]
    requirements = block.requirements or ()
    return ScriptTemplate(
        name=path.stem,
        title=about["title"],
        description=about["description"],
        code=code,
        requirements="".join(f"{requirement}\n" for requirement in requirements),
        parameters=declarations.declared_in_code(code) or [],
        cron=about.get("cron", ""),
        every_s=about.get("every_s"),
        memory_mb=about.get("memory_mb"),
    )


def _sort_key(template: ScriptTemplate) -> tuple[int, str]:
    place = len(FEATURED)
    if template.name in FEATURED:
        place = FEATURED.index(template.name)
    return place, template.title.casefold()
