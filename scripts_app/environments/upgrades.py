"""Upgrading packages: what is newest within the requirements is built beside the environment in use, shown, then used.

An upgrade is an Environment of the same wish with the next generation. It changes nothing for anybody until a person
has said `use`; other scripts with the same requirements keep what they have.
"""

from django.db import transaction
from django.db.models import QuerySet

from scripts_app.environments import environments
from scripts_app.models import Environment, Script, Version
from scripts_app.packages import locks
from scripts_app.packages.locks import Change
from scripts_app.validation import ScriptError

_NONE = "There is no upgrade to look at.\nhint: ask for one first"


def request(script: Script) -> Environment:
    """Have the newest packages that the requirements allow built, to be looked at.

    One that others with the same wish are waiting for is shared. Raises ScriptError where there is nothing to upgrade.
    """
    with transaction.atomic():
        stored = Script.objects.select_related("wanted_environment").get(pk=script.pk)
        current = stored.wanted_environment
        if current is None or not current.lock:
            why = (
                "It has no packages."
                if current and current.is_ready
                else "Its packages are not installed yet."
            )
            raise ScriptError(f"{why}\nhint: there is nothing to upgrade", field="environment")
        upgrade = _unfinished(current) or _next(current)
        Script.objects.filter(pk=script.pk).update(upgrade=upgrade)
    script.upgrade = upgrade
    return upgrade


def use(script: Script) -> Environment:
    """Run the script's current version with the upgrade from now on. Raises ScriptError unless it is ready."""
    with transaction.atomic():
        stored = Script.objects.select_related("upgrade").get(pk=script.pk)
        upgrade = stored.upgrade
        if upgrade is None:
            raise ScriptError(_NONE, field="upgrade")
        if not environments.is_usable(upgrade):
            raise ScriptError("The upgrade is not built, so it cannot be used.", field="upgrade")
        Script.objects.filter(pk=script.pk).update(
            environment=upgrade, wanted_environment=upgrade, upgrade=None
        )
        Version.objects.filter(pk=stored.version_id or 0).update(environment=upgrade)
    script.refresh_from_db(fields=["environment", "wanted_environment", "upgrade"])
    return upgrade


def discard(script: Script) -> None:
    """Forget the upgrade; the script keeps what it uses. Raises ScriptError when there is none."""
    if not Script.objects.filter(pk=script.pk, upgrade__isnull=False).update(upgrade=None):
        raise ScriptError(_NONE, field="upgrade")
    script.refresh_from_db(fields=["upgrade"])


def changes_of(script: Script) -> list[Change]:
    """Return what the upgrade of a script changes in the packages in use; nothing while it is not built."""
    upgrade = script.upgrade
    if upgrade is None or not upgrade.is_ready:
        return []
    before = script.environment.lock if script.environment else ""
    return locks.difference(before, upgrade.lock)


def _unfinished(current: Environment) -> Environment | None:
    """An upgrade of the same wish that is to be built anyway."""
    newer = _same_spec(current).filter(
        generation__gt=current.generation, state__in=environments.UNFINISHED
    )
    return newer.exclude(upgrading_scripts=None).order_by("-generation").first()


def _next(current: Environment) -> Environment:
    newest = (
        _same_spec(current).order_by("-generation").values_list("generation", flat=True).first()
        or 0
    )
    return Environment.objects.create(
        **environments.shared_fields(current), python=current.python, generation=newest + 1
    )


def _same_spec(current: Environment) -> QuerySet[Environment]:
    return Environment.objects.filter(**environments.shared_fields(current))
