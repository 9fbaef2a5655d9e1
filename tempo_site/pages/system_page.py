"""The page System: health, queue, machine, disk and versions."""

import os
import platform
from datetime import datetime
from typing import Any, TypedDict

import django
from django.conf import settings

from runs_app import disk_space
from runs_app.history import history
from tempo_site import health, system
from tempo_site.pages import dashboard
from tempo_site.pages.dashboard import MachineContext
from tempo_site.system import IsolationFigures, RunFigures

# As people know them; the API has the names of the threads.
PARTS = {"ticker": "Schedules", "settler": "Ends of runs", "launcher": "Starts of runs"}


class SystemContext(MachineContext):
    now: datetime
    health: dict[str, Any]
    parts: list[tuple[str, str]]
    runs: RunFigures
    isolation: IsolationFigures
    lowered: tuple[str, str] | None  # the grade of the last run and why, where it had less
    floor_bytes: int
    versions: list["InstalledVersion"]


class InstalledVersion(TypedDict):
    name: str
    text: str


def system_context(now: datetime) -> SystemContext:
    """Return all figures, in three queries."""
    figures = system.system_figures()
    report = health.health_report()
    found = report["parts"].items()
    return {
        "now": now,
        "health": report,
        "parts": [(PARTS.get(name, name.capitalize()), state) for name, state in found],
        **dashboard.machine_context(),
        "runs": figures["runs"],
        "isolation": figures["isolation"],
        "lowered": history.lowered_isolation(),
        "floor_bytes": disk_space.look().floor_mb * system.MB,
        "versions": versions(),
    }


def versions() -> list[InstalledVersion]:
    """Return what Tempo runs on. One query."""
    return [
        {"name": "Tempo", "text": settings.VERSION},
        {"name": "Python", "text": platform.python_version()},
        {"name": "Django", "text": django.__version__},
        {"name": "Database", "text": system.database_sentence()},
        {"name": "Kernel", "text": f"{os.uname().sysname} {os.uname().release}"},
        {"name": "Machine", "text": os.uname().machine},
    ]
