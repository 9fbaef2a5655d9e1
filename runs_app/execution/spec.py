"""What the launcher is given of a run: `spec.json`, whose larger part is the program's."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings

from runs_app.models import Run
from runs_app.programs import registry


def write_spec(run: Run, folder: Path, plain: Mapping[str, str]) -> dict[str, Any]:
    """Return the spec of a run, and write beside it what it names, like the code.

    `plain` are the script's variables that are no secrets. Raises NothingToRun, OSError and ValueError.
    """
    return {
        "v": 1,
        "run_id": run.pk,
        "kind": run.kind,
        "timeout_s": run.timeout_s,
        "grace_s": settings.STOP_GRACE_S,
        **registry.program_of(run).spec(run, folder, plain),
    }
