"""Where a script began to fail: its last good run, the first bad one behind it, and what is different between them."""

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
TIME, MEMORY = (LIMITS[field].label for field in ("timeout_s", "memory_mb"))


@dataclass(frozen=True, kw_only=True)
class Regression:
    """The two runs, each with its version and its environment."""

    good: Run
    bad: Run

    @property
    def is_same_version(self) -> bool:
        """Whether both executed the same text, so that the reason lies elsewhere."""
        return self.good.version_id == self.bad.version_id


def find_regression(script: Script, *, bad: Run | None = None) -> Regression | None:
    """Find the runs around the beginning of the failures that `bad` belongs to, else of the newest ones.

    None when the script never failed, or never went well before.
    """
    runs = Run.objects.filter(script=script).scripts().exclude(version=None)
    last = bad or runs.filter(status__in=history.BAD).order_by("-pk").first()
    if last is None:
        return None
    good = _whole(runs).filter(status=Status.SUCCEEDED, pk__lt=last.pk).order_by("-pk").first()
    if good is None:
        return None
    first = (
        _whole(runs)
        .filter(status__in=history.BAD, pk__gt=good.pk, pk__lte=last.pk)
        .order_by("pk")
        .first()
    )
    return Regression(good=good, bad=first) if first else None


def has_regression(run: Run) -> bool:
    """Whether a run failed and its script had gone well before: then there is something to compare."""
    if run.status not in history.BAD or run.script_id is None:
        return False
    return (
        Run.objects.filter(script=run.script_id, status=Status.SUCCEEDED, pk__lt=run.pk)
        .scripts()
        .exists()
    )


def differences(point: Regression) -> Comparison:
    """Compare the two runs: what was executed, with which packages, under which limits, with which inputs.

    Limits of time and memory and the packages are those of the runs; what a run does not remember is its version's.
    """
    before, after = versions(point)
    compared = comparison.compare(before, after)
    return Comparison(
        files=compared.files,
        settings=[*_of_versions(compared.settings), *_facts(point.good, point.bad)],
        packages=comparison.packages(point.good.environment, point.bad.environment),
    )


def versions(point: Regression) -> tuple[Version, Version]:
    """The versions that the two runs executed, whole."""
    found = Version.objects.select_related("environment").in_bulk(
        [point.good.version_id, point.bad.version_id]
    )
    return found[point.good.version_id or 0], found[point.bad.version_id or 0]


def _of_versions(settings: list[SettingDifference]) -> list[SettingDifference]:
    """Those that no run remembers."""
    return [difference for difference in settings if difference.name not in (TIME, MEMORY)]


def _facts(good: Run, bad: Run) -> list[SettingDifference]:
    """What the runs themselves remember, where it differs."""
    before, after = _describe(good), _describe(bad)
    return [
        SettingDifference(name=name, before=before[name], after=after[name])
        for name in before
        if _differs(before, after, name)
    ]


def _describe(run: Run) -> dict[str, str]:
    environment = run.environment
    return {
        "Python of the run": environment.python if environment else "",
        TIME: f"{run.timeout_s:,} seconds" if run.timeout_s else "no limit",
        MEMORY: f"{run.memory_mb:,} MB" if run.memory_mb else "no limit",
        "Inputs": _short(run.params),
        "Isolation": run.isolation,
    }


def _differs(before: dict[str, str], after: dict[str, str], name: str) -> bool:
    """Whether both know it and it is not the same: a run that never began has neither Python nor isolation."""
    return bool(before[name] and after[name]) and before[name] != after[name]


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True) if value else "none"
    return text if len(text) <= MAX_VALUE else f"{text[: MAX_VALUE - 1]}…"


def _whole(runs: RunQuerySet) -> RunQuerySet:
    """With what is shown of a run; not the texts, which only a comparison needs."""
    return runs.select_related("version", "environment", "script").defer(*history.LONG_TEXTS)
