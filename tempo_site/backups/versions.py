"""Which data this Tempo understands: its own and that of every earlier version, none of a newer one."""

import pkgutil
from collections.abc import Mapping
from pathlib import Path

from django.apps import apps


def newest_migrations() -> dict[str, str]:
    """Return the name of the last migration of each app that has one."""
    newest = {}
    for config in apps.get_app_configs():
        folder = str(Path(config.path) / "migrations")
        name = max((module.name for module in pkgutil.iter_modules([folder])), default="")
        if name:
            newest[config.label] = name
    return newest


def newer(applied: Mapping[str, str]) -> tuple[str, str, str] | None:
    """Return an app whose applied migration is newer than any of this Tempo's, with both names; None without one."""
    for label, name in newest_migrations().items():
        found = applied.get(label, "")
        if found > name:
            return label, found, name
    return None
