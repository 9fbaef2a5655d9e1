"""The machine that Tempo runs on, and what it does for Tempo at the moment: for the API and the dashboard."""

import os
import sqlite3
from typing import TypedDict

import psutil
from django.db import connection
from django.db.models import Count

from runs_app import disk_space, states
from runs_app.models import Run
from tempo_site import health
from tempo_site.bootstrap import file_system
from tempo_site.stored_settings import limits, store

MB = 2**20


class MemoryFigures(TypedDict):
    total_mb: int
    available_mb: int


class DiskFigures(TypedDict):
    total_mb: int
    free_mb: int
    floor_mb: int
    is_low: bool


class RunFigures(TypedDict):
    under_way: int
    queued: int
    most: int


class IsolationFigures(TypedDict):
    """The best isolation that runs can have here; empty while the grade is not known."""

    grade: str
    why: str


class SystemFigures(TypedDict):
    cpu_percent: float | None
    cores: int
    load: list[float]
    memory: MemoryFigures
    disk: DiskFigures
    runs: RunFigures
    isolation: IsolationFigures


def system_figures() -> SystemFigures:
    """Return all figures, in one query. CPU is measured by the engine; None without an engine in this process."""
    return {
        "cpu_percent": health.cpu_percent(),
        "cores": cores(),
        "load": load(),
        "memory": _memory(),
        "disk": _disk(),
        "runs": _runs(),
        "isolation": _isolation(),
    }


def database_sentence() -> str:
    """Return which SQLite is linked, and how the database keeps what is not in its file yet. One query."""
    with connection.cursor() as cursor:
        journal = cursor.execute("PRAGMA journal_mode").fetchone()[0]
    version = f"SQLite {sqlite3.sqlite_version}"
    if journal == "wal":
        return f"{version}, with a write-ahead log"
    return f"{version}, without a write-ahead log. {file_system.NO_SHARED_MEMORY}"


def _memory() -> MemoryFigures:
    memory = psutil.virtual_memory()
    return {"total_mb": memory.total // MB, "available_mb": memory.available // MB}


def _disk() -> DiskFigures:
    disk = disk_space.look()
    return {
        "total_mb": disk.total_mb,
        "free_mb": disk.free_mb,
        "floor_mb": disk.floor_mb,
        "is_low": disk.is_low,
    }


def _runs() -> RunFigures:
    counts = active_counts()
    return {
        "under_way": sum(counts.get(status, 0) for status in states.UNDER_WAY),
        "queued": sum(counts.get(status, 0) for status in states.WAITING),
        "most": store.number(limits.RUNS_AT_ONCE),
    }


def _isolation() -> IsolationFigures:
    isolation = health.isolation()
    return {"grade": str(isolation.get("grade", "")), "why": str(isolation.get("why", ""))}


def active_counts() -> dict[str, int]:
    active = Run.objects.scripts().active().order_by()
    return dict(active.values_list("status").annotate(count=Count("pk")))


def cores() -> int:
    return len(os.sched_getaffinity(0))


def load() -> list[float]:
    return [round(value, 2) for value in os.getloadavg()]
