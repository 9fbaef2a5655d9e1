"""What a call brings along for the run it starts: kept as a row until the run has a folder to hold it."""

import json
from collections.abc import Mapping
from pathlib import Path

from django.db.models import Sum
from django.db.models.functions import Length

from runs_app.models import Run, RunPayload
from runs_app.states import Trigger
from tempo_site.lib import files

SMALL_BYTES = 16 * 1024  # of so small ones the longest queue takes little
MAX_WAITING_BYTES = 256 * 2**20
FILE = "payload"
VARIABLE, HEADERS_VARIABLE = "TEMPO_PAYLOAD", "TEMPO_PAYLOAD_HEADERS"


class NoRoom(Exception):
    """The payloads of runs that have not ended take all the room there is for them."""


def keep(run: Run, body: bytes, headers: Mapping[str, str]) -> None:
    """Keep a body, which may be empty, for a new run, in the caller's transaction. Raise NoRoom."""
    if len(body) > SMALL_BYTES:
        waiting = RunPayload.objects.aggregate(bytes=Sum(Length("body")))["bytes"] or 0
        if waiting + len(body) > MAX_WAITING_BYTES:
            raise NoRoom
    RunPayload.objects.create(run=run.pk, body=body, headers=dict(headers))


def put_into(folder: Path, run: Run) -> dict[str, str]:
    """Write the run's payload into its folder; return what the script's environment says of it. Raise OSError."""
    if run.trigger != Trigger.URL:
        return {}
    payload = RunPayload.objects.filter(run=run.pk).first()
    if payload is None:
        return {}
    path = folder / FILE
    files.write_atomic(path, bytes(payload.body), mode=0o600, durable=False)
    headers = json.dumps(payload.headers, ensure_ascii=False)
    return {VARIABLE: str(path), HEADERS_VARIABLE: headers}


def forget(run: Run) -> None:
    """Drop what was kept for a run that has ended; its folder's file goes when the folder is archived."""
    if run.trigger == Trigger.URL:
        RunPayload.objects.filter(run=run.pk).delete()
