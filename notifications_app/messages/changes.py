"""What changed between the last good run of a script and a bad one: names only, never a value."""

from runs_app.history import regression
from runs_app.history.regression import Regression
from runs_app.models import Run
from scripts_app.models import Variable

MAX_NAMES = 10


def since_last_good(run: Run | None) -> list[str]:
    """Return the names of what changed: `code (v3 → v4)`, `package requests`, `variable TOKEN`, `Python of the run`."""
    if run is None or run.script is None:
        return []
    found = regression.find_regression(run.script, bad=run)
    if found is None:
        return []
    names = [*_of_versions(found), *_variables(found)]
    if len(names) > MAX_NAMES:
        return [*names[:MAX_NAMES], f"{len(names) - MAX_NAMES} more"]
    return names


def _of_versions(found: Regression) -> list[str]:
    compared = regression.differences(found)
    names = []
    if compared.files and found.good.version and found.bad.version:
        names.append(f"code ({found.good.version} → {found.bad.version})")
    names += [f"package {change.name}" for change in compared.packages]
    names += [setting.name for setting in compared.settings]
    return names


def _variables(found: Regression) -> list[str]:
    since = found.good.started_at or found.good.created_at
    rows = Variable.objects.filter(script=None) | Variable.objects.filter(
        script=found.bad.script_id
    )
    changed = rows.filter(updated_at__gt=since, updated_at__lte=found.bad.created_at)
    names = changed.order_by("name").values_list("name", flat=True)
    return [f"variable {name}" for name in dict.fromkeys(names)]
