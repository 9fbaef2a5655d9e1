"""REST operations on runs: start, look, cancel, and what they wrote."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import Annotated, Any, Literal

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils import timezone
from ninja import Query, Router
from ninja.errors import HttpError
from ninja.responses import Status
from pydantic import BaseModel, ConfigDict, Field, field_validator

from runs_app import execution, history, output, triggers
from runs_app.models import Run
from runs_app.states import Kind, Trigger
from runs_app.states import Status as RunStatus
from scripts_app.models import Script
from tempo_site import auth

router = Router(tags=["runs"])

MAX_PAGE = 200
DEFAULT_PAGE = 50
MAX_PARAMS_BYTES = 16 * 1024
MAX_PARAMS_DEPTH = 32
LAST_OFFSET = 2**53

Limit = Annotated[int, Query(default=DEFAULT_PAGE, ge=1, le=MAX_PAGE)]
Cursor = Annotated[str, Query(default="", pattern=r"^\d{0,18}$")]
Offset = Annotated[int, Query(default=0, ge=0, le=LAST_OFFSET)]


def content(kind: str) -> dict[str, Any]:
    """What the documentation says of an answer that is no JSON."""
    return {"responses": {200: {"content": {kind: {"schema": {"type": "string"}}}}}}


class RunIn(BaseModel):
    """What a run is started with. `params` is kept with the run: a JSON object of at most 16 KB."""

    model_config = ConfigDict(extra="forbid")

    params: dict[str, Any] = Field(default={})

    @field_validator("params")
    @classmethod
    def refuse_large(cls, value: dict[str, Any]) -> dict[str, Any]:
        """The row carries it, so it stays small and flat enough for the database's JSON functions."""
        if is_deeper(value, MAX_PARAMS_DEPTH):
            raise ValueError(f"nested deeper than {MAX_PARAMS_DEPTH} levels")
        if len(json.dumps(value, allow_nan=False)) > MAX_PARAMS_BYTES:
            raise ValueError(f"more than {MAX_PARAMS_BYTES // 1024} KB of JSON")
        return value


class RunOut(BaseModel):
    """A run. `reason` says why it stands where it stands; `flags` are notes such as `leftovers_killed`."""

    id: int
    kind: str
    script: str | None
    version: int | None
    status: str
    reason: str
    exit_code: int | None
    signal: str
    trigger: str
    schedule: int | None
    due_at: datetime | None
    late_ms: int | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    duration_s: float | None
    cpu_s: float | None
    peak_memory_mb: float | None
    output_bytes: int
    isolation: str
    flags: list[str]
    parent: int | None


class RunPage(BaseModel):
    """Runs, newest first."""

    items: list[RunOut]
    next_cursor: str | None


@router.post("/scripts/{slug:slug}/runs", auth=auth.RUN, response={202: RunOut})
def start_run(request: auth.Request, slug: str, data: RunIn | None = None) -> Status[RunOut]:
    """Start a run of a script's current version; it waits its turn as `queued`."""
    script = find_script(slug)
    params = data.params if data else {}
    run = triggers.start(script, trigger=Trigger.API, by=request.auth.name, now=timezone.now(), params=params)
    run.version = script.version  # the very one it was started with: saves a query
    return Status(202, run_out(run))


@router.get("/runs", response=RunPage)
def list_runs(
    request: HttpRequest,
    limit: Limit,
    cursor: Cursor,
    script: str = "",
    status: RunStatus | Literal[""] = "",
    kind: Kind | Literal["all"] = Kind.SCRIPT,
) -> RunPage:
    """List runs, newest first; `kind=build` shows the building of environments, `kind=all` both."""
    rows = history.page(
        before=int(cursor) if cursor else None,
        limit=limit + 1,
        script=script,
        status=status,
        kind="" if kind == "all" else kind,
    )
    return RunPage.model_construct(
        items=[run_out(run) for run in rows[:limit]],
        next_cursor=str(rows[limit - 1].pk) if len(rows) > limit else None,
    )


@router.get("/runs/{int:run_id}", response=RunOut)
def read_run(request: HttpRequest, run_id: int) -> RunOut:
    """Show one run."""
    return run_out(find_run(run_id))


@router.post("/runs/{int:run_id}/cancel", auth=auth.RUN, response=RunOut)
def cancel_run(request: auth.Request, run_id: int) -> RunOut:
    """Cancel a run. One under way ends within its grace time, with every process it started."""
    if not execution.cancel(find_run(run_id), by=request.auth.name, now=timezone.now()):
        raise HttpError(409, f"Run {run_id} has ended already.")
    return run_out(find_run(run_id))


@router.get("/runs/{int:run_id}/log", response={200: None}, openapi_extra=content("text/plain"))
def read_log(request: HttpRequest, run_id: int, download: bool = False) -> StreamingHttpResponse:
    """Return what the script wrote so far, both streams in order, byte for byte (text/plain)."""
    chunks = output.script_bytes(find_run(run_id))
    # Under ASGI Django would first collect what a plain iterator yields: a log of any size in memory.
    parts = from_thread(chunks) if isinstance(request, ASGIRequest) else chunks
    response = StreamingHttpResponse(parts, content_type="text/plain; charset=utf-8")
    response.headers["X-Content-Type-Options"] = "nosniff"
    if download:
        response.headers["Content-Disposition"] = f'attachment; filename="run-{run_id}.log"'
    return response


@router.get("/runs/{int:run_id}/output", response={200: None}, openapi_extra=content("application/octet-stream"))
def read_output(request: HttpRequest, run_id: int, offset: Offset) -> HttpResponse:
    """Return stored output from a byte offset: a JSON line `{"t": "o", "o": start, "n": end, "status", "final"}`, then
    the records, `<epoch_ms> O|E|S F|P <text>`. Ask again with `offset=n`; `final` means that nothing more will come.
    """
    run = find_run(run_id)  # before the slice: what a final row's log holds is all of it
    data, following = output.read_slice(run, offset)
    is_last = run.is_final and following >= output.size(run)
    head = {"t": "o", "o": offset, "n": following, "status": run.status, "final": is_last}
    response = HttpResponse(json.dumps(head).encode() + b"\n" + data, content_type="application/octet-stream")
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def find_script(slug: str) -> Script:
    """Return a script that was not deleted, with its version's number. Raises Http404."""
    rows = Script.objects.present().select_related("version").defer("version__code", "version__requirements")
    script = rows.filter(slug=slug).first()
    if script is None:
        raise Http404(f"There is no script `{slug[:80]}`.")
    return script


def find_run(run_id: int) -> Run:
    """Return a run. Raises Http404."""
    rows = Run.objects.select_related("script", "version").defer("version__code", "version__requirements")
    run = rows.filter(pk=run_id).first()
    if run is None:
        raise Http404(f"There is no run {str(run_id)[:20]}.")
    return run


def run_out(run: Run) -> RunOut:
    """Return a run as JSON shows it."""
    return RunOut.model_construct(
        id=run.pk,
        kind=run.kind,
        script=run.script.slug if run.script else None,
        version=run.version.number if run.version else None,
        status=run.status,
        reason=run.reason,
        exit_code=run.exit_code,
        signal=run.signal,
        trigger=run.trigger,
        schedule=run.schedule_id,
        due_at=run.due_at,
        late_ms=run.late_ms,
        created_at=run.created_at,
        started_at=run.started_at,
        finished_at=run.finished_at,
        duration_s=run.duration_s,
        cpu_s=run.cpu_s,
        peak_memory_mb=run.peak_memory_mb,
        output_bytes=run.output_bytes,
        isolation=run.isolation,
        flags=["leftovers_killed"] if run.leftovers_killed else [],
        parent=run.parent_id,
    )


def is_deeper(value: object, levels: int) -> bool:
    """Whether JSON is nested deeper than so many levels."""
    if levels < 0:
        return True
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(is_deeper(child, levels - 1) for child in children)


async def from_thread(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yield what a blocking iterator yields without blocking the event loop, one chunk in memory at a time."""
    following = sync_to_async(lambda: next(chunks, None))
    while (chunk := await following()) is not None:
        yield chunk
