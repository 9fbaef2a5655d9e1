"""The machine that Tempo runs on, and what it does for Tempo at the moment: for the API and the dashboard."""

import os
from typing import Any

import psutil
from django.conf import settings
from django.db.models import Count

from runs_app import disk_space, states
from runs_app.models import Run
from tempo_site import health

MB = 2**20


def system_figures() -> dict[str, Any]:
    """All of it, in one query. CPU is measured by the engine; null where none runs in this process."""
    memory, disk, isolation = psutil.virtual_memory(), disk_space.look(), health.isolation()
    counts = dict(
        Run.objects.scripts().active().order_by().values_list("status").annotate(count=Count("pk"))
    )
    return {
        "cpu_percent": health.cpu_percent(),
        "cores": cores(),
        "load": load(),
        "memory": {"total_mb": memory.total // MB, "available_mb": memory.available // MB},
        "disk": {
            "total_mb": disk.total_mb,
            "free_mb": disk.free_mb,
            "floor_mb": disk.floor_mb,
            "is_low": disk.is_low,
        },
        "runs": {
            "under_way": sum(counts.get(status, 0) for status in states.UNDER_WAY),
            "queued": sum(counts.get(status, 0) for status in states.WAITING),
            "most": settings.MAX_CONCURRENT_RUNS,
        },
        "isolation": {
            "grade": str(isolation.get("grade", "")),
            "why": str(isolation.get("why", "")),
        },
    }


def cores() -> int:
    """The cores that Tempo may use."""
    return len(os.sched_getaffinity(0))


def load() -> list[float]:
    """The machine's load averages over 1, 5 and 15 minutes."""
    return [round(value, 2) for value in os.getloadavg()]
