"""Common to Tempo's own programs: they run one at a time, in `tmp/` of the run, with limits of their own."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from uv import find_uv_bin

from runs_app import disk_space
from runs_app.models import Run
from runs_app.programs import wait_conditions
from runs_app.programs.program import ProgramSpec, StepSpec
from scripts_app.packages import index
from tempo_site.lib import confined, paths

WAITS_FOR = (wait_conditions.RESTORE, wait_conditions.DISK, wait_conditions.ONE_AT_A_TIME)
MEMORY_MB, PROCESSES = 4096, 256  # room for large wheels and for uv's threads
MB = 2**20


def spec(
    run: Run,
    folder: Path,
    argv: Sequence[str],
    environment: Mapping[str, str],
    *,
    isolation: Mapping[str, Any],
    then: Sequence[StepSpec] = (),
) -> ProgramSpec:
    temporary = str(folder / "tmp")
    return {
        "limits": limits(),
        "isolation": isolation,
        "argv": argv,
        "cwd": temporary,
        "env": {
            **environment,
            "TMPDIR": temporary,
            "TEMPO_RUN_ID": str(run.pk),
        },
        "then": then,
    }


def isolation(
    *, write: Sequence[Path], read: Sequence[Path] = (), python: str = ""
) -> dict[str, Any]:
    """Return what a program of Tempo's own may reach: the system, `write`, `read`, and a Python beside Tempo's."""
    local = [*index.local_places(), *map(str, read)]
    if python:
        local.append(str(Path(python).resolve().parent.parent))
    return {
        "uid": None,
        "uid_why": "it is a program of Tempo's own",
        "read": [
            *confined.own_python(),
            str(settings.BASE_DIR / "scripts_app"),
            find_uv_bin(),
            *local,
        ],
        "write": [str(place) for place in write],
        "closed": [str(paths.data()), str(settings.BASE_DIR)],
        "require": "",
    }


def limits() -> dict[str, int]:
    return {
        "memory_mb": MEMORY_MB,
        "cpu_s": 0,
        "processes": PROCESSES,
        "output_bytes": settings.DEFAULT_OUTPUT_MB * MB,
        "output_kill_bytes": settings.OUTPUT_KILL_MB * MB,
        "file_mb": 0,
        "open_files": 0,
        "nice": settings.DEFAULT_NICE,
        "min_free_mb": disk_space.hard_floor_mb(),
    }
