"""Which limits hold for the runs of a script: its own, else its folder's, else those of all scripts."""

from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet

from runs_app.models import RetentionRule
from scripts_app import folders
from scripts_app.models import Folder, Script
from tempo_site.audit import trail
from tempo_site.stored_settings import retention, store


@dataclass(frozen=True, kw_only=True)
class RetentionLimits:
    """Days, runs and megabytes of logs that are kept of a script; `mb` None: only the limit of all logs together."""

    days: int
    runs: int
    mb: int | None = None


@dataclass(frozen=True, kw_only=True)
class RetentionChange:
    """Limits that somebody thinks of setting for a folder, a script, or with neither for all; None: no own limit."""

    days: int | None
    runs: int | None
    mb: int | None
    folder: Folder | None = None
    script: Script | None = None


@dataclass(frozen=True, kw_only=True)
class Rules:
    """All limits in force: `total_mb` is of all logs together, `default` of what no script belongs to, like builds."""

    default: RetentionLimits
    total_mb: int
    of_script: dict[int, RetentionLimits]


def rules(change: RetentionChange | None = None) -> Rules:
    """Return the rules as they are stored, or as they would be with a change. Three queries."""
    stored = list(stored_rules())
    default = RetentionLimits(days=_number(retention.DAYS), runs=_number(retention.RUNS))
    total_mb = _number(retention.MEGABYTES)
    if change is not None and not (change.folder or change.script):
        default = RetentionLimits(
            days=change.days or default.days, runs=change.runs or default.runs
        )
        total_mb = change.mb or total_mb
    elif change is not None:
        stored = [rule for rule in stored if not _is_of(rule, change)]
        stored.append(_unsaved(change))
    return Rules(default=default, total_mb=total_mb, of_script=_of_scripts(stored, default))


def save(change: RetentionChange, *, by: str) -> None:
    """Store the limits of a folder, a script or all scripts. Raise SettingRefused."""
    if not (change.folder or change.script):
        values = {
            retention.DAYS: change.days,
            retention.RUNS: change.runs,
            retention.MEGABYTES: change.mb,
        }
        store.save({name: value for name, value in values.items() if value}, by=by)
        return
    limits = {"days": change.days, "runs": change.runs, "mb": change.mb, "updated_by": by}
    with transaction.atomic():
        row, _ = RetentionRule.objects.update_or_create(
            folder=change.folder, script=change.script, defaults=limits
        )
        trail.record("changed", row, changes={**limits})


def stored_rules() -> QuerySet[RetentionRule]:
    """Return the limits of folders, then those of scripts."""
    rows = RetentionRule.objects.select_related("script", "folder")
    return rows.order_by("script__slug", "folder__path")


def remove(pk: int) -> bool:
    """Remove the limits of a folder or a script; False where there are none of this key."""
    with transaction.atomic():
        rule = RetentionRule.objects.filter(pk=pk).first()
        if rule is None:
            return False
        trail.record("deleted", rule)
        rule.delete()
    return True


def _number(name: str) -> int:
    return int(store.value(name))


def _is_of(rule: RetentionRule, change: RetentionChange) -> bool:
    return (rule.script_id, rule.folder) == (change.script and change.script.pk, change.folder)


def _unsaved(change: RetentionChange) -> RetentionRule:
    return RetentionRule(
        script=change.script,
        folder=change.folder,
        days=change.days,
        runs=change.runs,
        mb=change.mb,
    )


def _of_scripts(
    stored: list[RetentionRule], default: RetentionLimits
) -> dict[int, RetentionLimits]:
    of_folder = {rule.folder.path: rule for rule in stored if rule.folder}
    of_script = {rule.script_id: rule for rule in stored if rule.script_id}
    found = {}
    for pk, path in Script.objects.values_list("pk", "folder__path"):
        limits = default
        for folder in folders.with_ancestors(path or ""):
            limits = _narrowed(limits, of_folder.get(folder))
        found[pk] = _narrowed(limits, of_script.get(pk))
    return found


def _narrowed(limits: RetentionLimits, rule: RetentionRule | None) -> RetentionLimits:
    if rule is None:
        return limits
    return RetentionLimits(
        days=rule.days or limits.days, runs=rule.runs or limits.runs, mb=rule.mb or limits.mb
    )
