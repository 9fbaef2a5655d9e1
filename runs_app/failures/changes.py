"""What changed since a failed script's last good run: its text, packages, settings, variables, and the machine."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db.models import Q

from runs_app import run_folder
from runs_app.history import regression
from runs_app.history.regression import Regression
from runs_app.launcher.folders import ARCHIVE
from runs_app.models import Run
from runs_app.run_folder import STATE
from scripts_app.models import Variable
from scripts_app.packages.locks import Change
from tempo_site.lib import paths

MAX_NAMED = 5  # of a kind


class Changed(NamedTuple):
    name: str  # without a value, as messages show it
    words: str


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What differs between the last good run and the first bad one; empty where nothing is known to."""

    good: Run
    bad: Run
    changed: list[Changed]

    @property
    def names(self) -> list[str]:
        return [change.name for change in self.changed]

    @property
    def words(self) -> list[str]:
        return [change.words for change in self.changed]


def changes_of_run(run: Run) -> Changes | None:
    """Return what changed before the failures that this run belongs to; None without a good run before it."""
    if run.script is None or run.version_id is None:
        return None
    found = regression.find_regression(run.script, bad=run)
    if found is None:
        return None
    changed = [*_text(found), *_variables(found), *_machine(found)]
    return Changes(good=found.good, bad=found.bad, changed=changed)


def _text(found: Regression) -> list[Changed]:
    compared = regression.differences(found)
    changed = []
    for file in compared.files:
        words = f"`{file.name}`: +{file.difference.added} −{file.difference.removed} lines"
        changed.append(Changed(f"{file.name} ({found.good.version} → {found.bad.version})", words))
    for setting in compared.settings[:MAX_NAMED]:
        changed.append(Changed(setting.name, f"{setting.name}: {setting.before} → {setting.after}"))
    changed += [_package(change) for change in compared.packages[:MAX_NAMED]]
    left = len(compared.packages) - MAX_NAMED
    if left > 0:
        changed.append(Changed(f"{left} more packages", f"{left} more packages"))
    return changed


def _package(change: Change) -> Changed:
    before = change.before or "none"
    words = f"`{change.name}`: {before} → {change.after or 'none'}"
    return Changed(f"package {change.name}", words)


def _variables(found: Regression) -> list[Changed]:
    # Names alone; a variable that was deleted leaves no trace.
    of_script = Q(script=found.bad.script_id) | Q(script=None)
    rows = Variable.objects.filter(
        of_script, updated_at__gte=found.good.created_at, updated_at__lt=found.bad.created_at
    )
    names = sorted(set(rows.values_list("name", flat=True)))[:MAX_NAMED]
    return [Changed(f"variable {name}", f"Variable `{name}` was changed") for name in names]


def _machine(found: Regression) -> list[Changed]:
    before, after = _boot_id(found.good), _boot_id(found.bad)
    if before and after and before != after:
        return [Changed("a restart of the machine", "The machine was started again")]
    return []


def _boot_id(run: Run) -> Any:
    if not run.folder:
        return None
    with run_folder.opened(paths.run_folder(run.folder)) as folder:
        if folder is None:
            return None
        archived = run_folder.read_object(folder, ARCHIVE) or {}
        state = archived.get("state") or run_folder.read_object(folder, STATE)
    return state.get("boot_id") if isinstance(state, dict) else None
