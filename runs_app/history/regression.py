"""Where a script began to fail: its last good run, the first bad run after that, and the differences between both."""

import json
from dataclasses import dataclass
from typing import Any

from runs_app.history import history
from runs_app.models import Run, RunQuerySet
from runs_app.states import Status
from scripts_app.limits import LIMITS
from scripts_app.models import Script, Version
from scripts_app.versions import comparison
from scripts_app.versions.comparison import Comparison
from scripts_app.versions.settings_snapshot import SettingDifference

MAX_VALUE = 200  # characters of a value
TIME = LIMITS["timeout_s"].label
MEMORY = LIMITS["memory_mb"].label


@dataclass(frozen=True, kw_only=True)
class Regression:
    good: Run
    bad: Run

    @property
    def is_same_version(self) -> bool:
        return self.good.version_id == self.bad.version_id


def find_regression(script: Script, *, bad: Run | None = None) -> Regression | None:
    """Find the two runs around the beginning of the failures that `bad` belongs to, else of the newest failures.

    Return None when the script never failed, or never succeeded before.
    """
    runs = Run.objects.filter(script=script).scripts().exclude(version=None)
    last = bad or runs.filter(status__in=history.BAD).order_by("-pk").first()
    if last is None:
        return None
    whole = _with_related(runs)
    good = whole.filter(status=Status.SUCCEEDED, pk__lt=last.pk).order_by("-pk").first()
    if good is None:
        return None
    failures = whole.filter(status__in=history.BAD, pk__gt=good.pk, pk__lte=last.pk)
    first = failures.order_by("pk").first()
    if first is None:
        return None
    return Regression(good=good, bad=first)


def has_regression(run: Run) -> bool:
    """Whether a run failed and its script had succeeded before: then there are two runs to compare."""
    if run.status not in history.BAD or run.script_id is None:
        return False
    earlier = Run.objects.filter(script=run.script_id, pk__lt=run.pk).scripts()
    return earlier.filter(status=Status.SUCCEEDED).exists()


def differences(regression: Regression) -> Comparison:
    """Compare the two runs: what was executed, with which packages, under which limits, with which inputs.

    Limits of time and memory and the packages are from the runs; what a run does not store is from its version.
    """
    good, bad = regression.good, regression.bad
    compared = comparison.compare(*versions(regression))
    return Comparison(
        files=compared.files,
        settings=[*_not_stored_by_runs(compared.settings), *_differences_of_runs(good, bad)],
        packages=comparison.packages(good.environment, bad.environment),
    )


def versions(regression: Regression) -> tuple[Version, Version]:
    good, bad = regression.good.version_id or 0, regression.bad.version_id or 0
    found = Version.objects.select_related("environment").in_bulk([good, bad])
    return found[good], found[bad]


def _not_stored_by_runs(settings: list[SettingDifference]) -> list[SettingDifference]:
    return [difference for difference in settings if difference.name not in (TIME, MEMORY)]


def _differences_of_runs(good: Run, bad: Run) -> list[SettingDifference]:
    before, after = _describe(good), _describe(bad)
    found = []
    for name in before:
        # A run that never began has neither Python nor isolation: then there is nothing to compare.
        is_known = before[name] and after[name]
        if is_known and before[name] != after[name]:
            found.append(SettingDifference(name=name, before=before[name], after=after[name]))
    return found


def _describe(run: Run) -> dict[str, str]:
    environment = run.environment
    return {
        "Python of the run": environment.python if environment else "",
        TIME: _limit(run.timeout_s, "seconds"),
        MEMORY: _limit(run.memory_mb, "MB"),
        "Inputs": _shortened(run.params),
        "Isolation": run.isolation,
    }


def _limit(value: int, unit: str) -> str:
    if not value:
        return "no limit"
    return f"{value:,} {unit}"


def _shortened(inputs: dict[str, Any]) -> str:
    if not inputs:
        return "none"
    text = json.dumps(inputs, ensure_ascii=False, sort_keys=True)
    if len(text) > MAX_VALUE:
        return f"{text[: MAX_VALUE - 1]}…"
    return text


def _with_related(runs: RunQuerySet) -> RunQuerySet:
    # All that a page shows of a run; not the texts, which only a comparison needs.
    return runs.select_related("version", "environment", "script").defer(*history.LONG_TEXTS)
