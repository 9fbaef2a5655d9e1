"""The Pythons of this machine and the scripts that use them: which are there or gone, moving from one to another."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.contrib.auth.models import User
from django.db.models import Count

from scripts_app import bulk, scripts
from scripts_app.bulk import Outcome
from scripts_app.environments import health
from scripts_app.models import Script
from scripts_app.packages import interpreters
from scripts_app.validation import ScriptError
from tempo_site.lib import paths

OK, GONE, SILENT = "ok", "gone", "broken"
OWN, INSTALLED = "Tempo runs on it", "installed by Tempo"


@dataclass(frozen=True, kw_only=True)
class Python:
    """One Python; `state`: `ok`, `broken` (it does not answer) or `gone`. `version` is "" where it never answered."""

    version: str
    path: str
    state: str
    origin: str
    scripts: int


def listing() -> list[Python]:
    """All Pythons from 3.8 to 3.14, newest first, then those that do not answer, and those that scripts miss."""
    counts: dict[str, int] = {}
    versions: dict[str, str] = {}
    for path, version, count in _in_use():
        counts[path] = counts.get(path, 0) + count
        versions[path] = version
    found = [
        (interpreter.version, str(interpreter.path), OK) for interpreter in interpreters.discover()
    ]
    found += [(versions.get(str(path), ""), str(path), SILENT) for path in interpreters.silent()]
    known = {path for _, path, _ in found}
    missed = [path for path in sorted(counts) if path not in known]
    found += [
        (versions[path], path, GONE if interpreters.is_gone(Path(path)) else OK) for path in missed
    ]
    return [
        Python(
            version=version,
            path=path,
            state=state,
            origin=origin_of(path),
            scripts=counts.get(path, 0),
        )
        for version, path, state in found
    ]


def origin_of(path: str) -> str:
    if path == str(interpreters.own().path):
        return OWN
    if Path(path).is_relative_to(paths.pythons().resolve()):
        return INSTALLED
    return ""


def _in_use() -> list[tuple[str, str, int]]:
    rows = Script.objects.present().exclude(wanted_environment=None).order_by()
    fields = "wanted_environment__interpreter", "wanted_environment__python"
    return list(rows.values_list(*fields).annotate(Count("pk")))


def move(*, source: str, target: str, by: User | None, now: datetime) -> Outcome[Script]:
    """Have all scripts of one Python use another one: each gets a version that says so.

    `source` is its path, or its full version where several have the same; `target` what a script may ask for: `3.12`,
    `3.12.1`, or "" for the one Tempo runs on. A script that asks for no version of its own only gets its environment
    anew. Raises ScriptError when no script uses `source`, or `target` is not there.
    """
    try:
        interpreters.choose(target)
    except interpreters.InterpreterMissing as problem:
        raise ScriptError(str(problem), field="to") from problem
    rows = Script.objects.present().select_related("version", "wanted_environment")
    chosen = rows.filter(wanted_environment__interpreter=source) or rows.filter(
        wanted_environment__python=source
    )
    if not chosen:
        raise ScriptError(f"No script uses the Python `{source[:200]}`.", field="from")
    return bulk.act_on_each(chosen, lambda script: _move(script, target, by=by, now=now))


def _move(script: Script, target: str, *, by: User | None, now: datetime) -> None:
    assert script.version and script.wanted_environment
    if not script.version.python_version:
        health.request_like(script, script.wanted_environment)
    else:
        scripts.update(script, by=by, now=now, python_version=target)
