"""The description of a run for the launcher: `spec.json`, for the larger part by the program."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings

from runs_app.models import Run
from runs_app.programs import registry


def write_spec(
    run: Run,
    folder: Path,
    plain: Mapping[str, str],
) -> dict[str, Any]:
    """Return the spec, and write the files into the folder that the spec names. Raises as Program.spec does."""
    return {
        "v": 1,
        "run_id": run.pk,
        "kind": run.kind,
        "timeout_s": run.timeout_s,
        "grace_s": settings.STOP_GRACE_S,
        **registry.program_of(run).spec(run, folder, plain),
    }
