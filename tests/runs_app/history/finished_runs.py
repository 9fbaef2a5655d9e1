"""Finished runs with folders as their runners leave them."""

import json
import struct
from pathlib import Path
from typing import Any

from django.utils import timezone

from runs_app.models import Run
from runs_app.states import Status
from tempo_site.lib import paths
from tests.factories import make_run

EXIT = {"v": 1, "status": "succeeded", "exit_code": 0}


def ended(number: int = 1, **fields: Any) -> tuple[Run, Path]:
    """A final run and its folder as a runner leaves it."""
    fields = {"status": Status.SUCCEEDED, "finished_at": timezone.now(), "log_bytes": 15, **fields}
    run = make_run(folder=f"2026-11/{number}-abcdef12", **fields)
    folder = paths.run_folder(run.folder)
    (folder / "tmp" / "deep").mkdir(parents=True)
    (folder / "tmp" / "deep" / "left").write_text("x")
    (folder / "output.log").write_bytes(b"1000 O F first\n")
    (folder / "output.idx").write_bytes(struct.pack("<2Q", 0, 4711))
    (folder / "exit.json").write_text(json.dumps(EXIT))
    for name in ("claim", "lock", "spec.json", "main.py", "state.json"):
        (folder / name).write_text("{}")
    return run, folder
