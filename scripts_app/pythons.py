"""The Pythons of this machine, the scripts that use each, and the move of scripts to another Python."""

from collections import Counter
from collections.abc import Iterator
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

OK, GONE, SILENT, OTHER, UNUSED = "ok", "gone", "broken", "other", "unused"
OWN, INSTALLED = "Tempo runs on it", "installed by Tempo"
CONFIGURED = "named in PYSCHED_PYTHON_PATHS"


@dataclass(frozen=True, kw_only=True)
class Python:
    """A Python; `version` is "" for a Python that never answered.

    `state`: `ok`, `broken` (no answer), `gone`, `other` (PyPy: no script runs on it), or `unused` (a configured place
    without any Python).
    """

    version: str
    path: str
    state: str
    origin: str
    scripts: int


def listing() -> list[Python]:
    """Return all Pythons from 3.8 to 3.14, newest first, then others and silent ones, then those that are missing."""
    counts = Counter[str]()
    versions: dict[str, str] = {}
    for path, version, count in _in_use():
        counts[path] += count
        versions[path] = version
    states: dict[str, str] = {}
    for version, path, state in _on_this_machine():
        versions[path] = version
        states[path] = state
    for path in sorted(counts.keys() - states.keys()):
        states[path] = GONE if interpreters.is_gone(Path(path)) else OK
    for place, _ in interpreters.unused_places():
        states.setdefault(place, UNUSED)
    pythons = []
    for path, state in states.items():
        python = Python(
            version=versions.get(path, ""),
            path=path,
            state=state,
            origin=CONFIGURED if state == UNUSED else origin_of(path),
            scripts=counts[path],
        )
        pythons.append(python)
    return pythons


def _on_this_machine() -> Iterator[tuple[str, str, str]]:
    # Version, path and state.
    for interpreter in interpreters.discover():
        yield interpreter.version, str(interpreter.path), OK
    for other in interpreters.others():
        yield f"{other.kind} {other.version}", str(other.path), OTHER
    for silent in interpreters.silent():
        yield "", str(silent), SILENT


def origin_of(path: str) -> str:
    if path == str(interpreters.own().path):
        return OWN
    if Path(path).is_relative_to(paths.pythons().resolve()):
        return INSTALLED
    return ""


# Path, version and the number of scripts.
def _in_use() -> list[tuple[str, str, int]]:
    rows = Script.objects.present().exclude(wanted_environment=None).order_by()
    fields = "wanted_environment__interpreter", "wanted_environment__python"
    return list(rows.values_list(*fields).annotate(Count("pk")))


def move(*, source: str, target: str, by: User | None, now: datetime) -> Outcome[Script]:
    """Move all scripts of a Python to another Python: each script gets a new version.

    `source` is a path or a full version; `target` is a version as scripts request: `3.12`, `3.12.1`, or "" for the
    Python that Tempo runs on. A script that requests no version only gets a new environment. Raise ScriptError when no
    script uses `source`, or `target` is not there.
    """
    try:
        interpreters.choose(target)
    except interpreters.InterpreterMissing as problem:
        raise ScriptError(str(problem), field="to") from problem
    rows = Script.objects.present().select_related("version", "wanted_environment")
    chosen = rows.filter(wanted_environment__interpreter=source)
    if not chosen:
        chosen = rows.filter(wanted_environment__python=source)
    if not chosen:
        raise ScriptError(f"No script uses the Python `{source[:200]}`.", field="from")
    return bulk.act_on_each(chosen, lambda script: _move(script, target, by=by, now=now))


def _move(script: Script, target: str, *, by: User | None, now: datetime) -> None:
    assert script.version and script.wanted_environment
    if script.version.python_version:
        scripts.update(script, by=by, now=now, python_version=target)
    else:
        health.request_like(script, script.wanted_environment)
