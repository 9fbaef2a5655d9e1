"""Upgrades: environments with the same spec, newer packages and the next generation, used when a person accepts."""

from django.db import transaction
from django.db.models import QuerySet

from scripts_app.environments import environments
from scripts_app.models import Environment, Script, Version
from scripts_app.packages import locks
from scripts_app.packages.locks import Change
from scripts_app.validation import ScriptError
from tempo_site.audit import trail

_NO_UPGRADE = "There is no upgrade to look at.\nhint: ask for one first"


def request(script: Script) -> Environment:
    """Request a build of the newest packages that the requirements allow. Raises ScriptError without packages."""
    with transaction.atomic():
        stored = Script.objects.select_related("wanted_environment").get(pk=script.pk)
        current = stored.wanted_environment
        if current is None or not current.lock:
            why = "Its packages are not installed yet."
            if current is not None and current.is_ready:
                why = "It has no packages."
            raise ScriptError(f"{why}\nhint: there is nothing to upgrade", field="environment")
        upgrade = _unfinished(current) or _create_next(current)
        Script.objects.filter(pk=script.pk).update(upgrade=upgrade)
        trail.record("asked for an upgrade", script)
    script.upgrade = upgrade
    return upgrade


def use(script: Script) -> Environment:
    """Run the script's current version with the upgrade from now on. Raises ScriptError unless the upgrade is ready."""
    with transaction.atomic():
        stored = Script.objects.select_related("upgrade").get(pk=script.pk)
        upgrade = stored.upgrade
        if upgrade is None:
            raise ScriptError(_NO_UPGRADE, field="upgrade")
        if not environments.is_usable(upgrade):
            raise ScriptError("The upgrade is not built, so it cannot be used.", field="upgrade")
        Script.objects.filter(pk=script.pk).update(
            environment=upgrade, wanted_environment=upgrade, upgrade=None
        )
        Version.objects.filter(pk=stored.version_id or 0).update(environment=upgrade)
        trail.record("used the upgrade", script)
    script.refresh_from_db(fields=["environment", "wanted_environment", "upgrade"])
    return upgrade


def discard(script: Script) -> None:
    """Keep the current environment and forget the upgrade. Raises ScriptError without an upgrade."""
    rows = Script.objects.filter(pk=script.pk, upgrade__isnull=False)
    with transaction.atomic():
        if not rows.update(upgrade=None):
            raise ScriptError(_NO_UPGRADE, field="upgrade")
        trail.record("discarded the upgrade", script)
    script.refresh_from_db(fields=["upgrade"])


def changes_of(script: Script) -> list[Change]:
    """Return what the upgrade of a script changes in the packages in use; nothing while it is not built."""
    upgrade = script.upgrade
    if upgrade is None or not upgrade.is_ready:
        return []
    before = script.environment.lock if script.environment else ""
    return locks.difference(before, upgrade.lock)


def _unfinished(current: Environment) -> Environment | None:
    newer = _same_spec(current).filter(generation__gt=current.generation)
    unfinished = newer.filter(state__in=environments.UNFINISHED)
    return unfinished.exclude(upgrading_scripts=None).order_by("-generation").first()


def _create_next(current: Environment) -> Environment:
    generations = _same_spec(current).order_by("-generation").values_list("generation", flat=True)
    newest = generations.first() or 0
    fields = environments.shared_fields(current)
    return Environment.objects.create(
        **fields,
        python=current.python,
        generation=newest + 1,
    )


def _same_spec(current: Environment) -> QuerySet[Environment]:
    return Environment.objects.filter(**environments.shared_fields(current))
