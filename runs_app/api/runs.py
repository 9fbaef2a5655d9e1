"""REST operations on runs: start, look, cancel, and what they wrote."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Query
from ninja.errors import HttpError
from ninja.responses import Status
from pydantic import BaseModel, ConfigDict, Field, StrictBool, field_validator

from runs_app import lookup
from runs_app.admission import explain
from runs_app.api.common import RunCursor, router
from runs_app.api.explanations import ExplanationOut, explanation_out
from runs_app.api.run_filters import RunQuery
from runs_app.execution import execution
from runs_app.failures import ends
from runs_app.history.run_rows import RunRow
from runs_app.models import Run
from runs_app.output import samples
from runs_app.search import query as search_query
from runs_app.search import run_lists, search
from runs_app.search.patterns import TooSlow
from runs_app.states import Trigger
from runs_app.triggers import confirmation, remedies, triggers
from scripts_app import reach
from tempo_site import auth
from tempo_site.lib import origins
from tempo_site.lib.wire import json_answer
from tempo_site.web.api_types import Cursor, Limit, cursor_after, number_of

MAX_PARAMS_BYTES = 16 * 1024
MAX_PARAMS_DEPTH = 32


class RunIn(BaseModel):
    """The inputs of a new run. `params`: values of the script's `parameters` by name, at most 16 KB."""

    model_config = ConfigDict(extra="forbid")

    params: dict[str, Any] = Field(default={})
    confirm: StrictBool = Field(
        default=False,
        description="Run the version also when this is its first run and problems were found in it.",
    )

    @field_validator("params")
    @classmethod
    def refuse_large(cls, value: dict[str, Any]) -> dict[str, Any]:
        # The row carries the value, so it stays small and flat enough for the database's JSON functions.
        if is_deeper(value, MAX_PARAMS_DEPTH):
            raise ValueError(f"nested deeper than {MAX_PARAMS_DEPTH} levels")
        if size_of(value) > MAX_PARAMS_BYTES:
            raise ValueError(f"more than {MAX_PARAMS_BYTES // 1024} KB of JSON")
        return value


class RunOut(BaseModel):
    """A run. `reason` says why the run has its status, `message` in a sentence. `memory_mb` is its limit; `flags`
    are notes: `output_truncated`, `leftovers_killed`, `isolation_degraded`, `late` (more than 5 s), `overran` (longer
    than to its schedule's next moment). A further try has the first run as `parent` and waits until `not_before`.
    """

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
    message: str
    memory_mb: int
    output_lines: int
    output_dropped: int
    processes_max: int
    isolation_why: str
    attempt: int
    not_before: datetime | None
    params: dict[str, Any]
    explanation: ExplanationOut | None


RUN_FIELDS = tuple(RunOut.model_fields)
# The columns that bear the same names in JSON.
SAME_NAMES = set(RUN_FIELDS) & set(RunRow._fields) - {"message", "explanation"}


class RunPage(BaseModel):
    """Runs, newest first. A page of a search may hold few runs, or none, and still have a `next_cursor`: then
    `searched_back_to` says when the last run that was searched was started.
    """

    items: list[RunOut]
    next_cursor: str | None
    searched_back_to: datetime | None


class QueueItem(BaseModel):
    """A queued run; `position` 1 is the next to begin, `waits_for` says in a sentence why it has not begun yet."""

    run: int
    script: str | None
    position: int
    due_at: datetime | None
    waits_for: str


class QueuePage(BaseModel):
    """The queue, in the order in which runs begin."""

    items: list[QueueItem]
    next_cursor: str | None


class SampleOut(BaseModel):
    """CPU and memory of a run's processes at one moment; `cpu_percent` is of one core: four busy cores are 400."""

    at: datetime
    cpu_percent: float
    memory_mb: float
    processes: int
    output_bytes: int


class SamplePage(BaseModel):
    """All samples of a run, oldest first, at most 600; `memory_limit_mb` 0 is no limit."""

    items: list[SampleOut]
    next_cursor: str | None
    memory_limit_mb: int
    status: str


@router.post("/scripts/{slug:slug}/runs", auth=auth.RUN, response={202: RunOut})
def start_run(
    request: auth.AuthenticatedRequest,
    response: HttpResponse,
    slug: str,
    data: RunIn | None = None,
) -> Status[RunOut]:
    """Start a run of a script's current version; it waits its turn as `queued`. Its `trigger` is `api` for a key, and
    `manual` for a user who is logged in, as in the editor.

    The first run of a version in which problems were found (`POST /check` says which) has to be confirmed: without
    `confirm` the answer is 409 `confirmation_needed`, with the `problems` beside the error. Later runs are not asked.
    """
    script = confirmation.script_to_start(slug)
    confirmation.require(script, is_confirmed=data is not None and data.confirm)
    params = data.params if data else {}
    trigger = Trigger.MANUAL if request.auth.user else Trigger.API
    run = triggers.start(
        script, trigger=trigger, by=request.auth.name, now=timezone.now(), params=params
    )
    run.version = script.version  # the run was started with it: saves a query
    response.headers["Location"] = origins.with_base(f"/api/v1/runs/{run.pk}")
    return Status(202, run_out(run))


@router.get("/runs", response=RunPage)
@auth.filters_by_limits
def list_runs(
    request: auth.AuthenticatedRequest,
    limit: Limit,
    cursor: RunCursor,
    filters: Annotated[RunQuery, Query()],
) -> RunPage | HttpResponse:
    """List runs, newest first, by all filters together. `status=bad` is any bad end, `active` what has not ended.
    `kind=build` shows what Tempo runs for scripts: the building of environments and the installation of Pythons;
    `kind=install` only the latter, `kind=all` everything. `q` is a search of the output, as in `GET /search`; `min_s`
    and `max_s` bound the duration; a run that went on between `from` and `to` counts.
    """
    chosen = replace(filters.as_filter(), within=reach.within(request.auth.limits, "script"))
    if not chosen.text:
        found = run_lists.rows(chosen, before=cursor, limit=limit)
        return json_answer.answer(
            {
                "items": [row_out(row) for row in found.rows],
                "next_cursor": found.older or None,
                "searched_back_to": found.searched_back_to,
            }
        )
    try:
        shown = run_lists.page(chosen, before=cursor, limit=limit)
    except (search_query.QueryError, TooSlow) as problem:
        raise HttpError(422, str(problem)) from problem
    except search.Busy as problem:
        raise HttpError(503, str(problem)) from problem
    items = [run_out(run) for run in shown.runs]
    return run_page(items, shown.older, searched_back_to=shown.results.searched_back_to)


def run_page(
    items: list[RunOut], older: str, *, searched_back_to: datetime | None = None
) -> RunPage:
    return RunPage.model_construct(
        items=items, next_cursor=older or None, searched_back_to=searched_back_to
    )


@router.get("/queue", response=QueuePage)
@auth.filters_by_limits
def read_queue(request: auth.AuthenticatedRequest, limit: Limit, cursor: Cursor) -> QueuePage:
    """List the queued runs, the next first, each with what it waits for. A run may begin between two pages."""
    among = reach.within(request.auth.limits, "script")
    after = number_of(cursor)
    rows = explain.queue_page(now=timezone.now(), after=after, limit=limit + 1, among=among)
    items = [queue_item(row) for row in rows[:limit]]
    next_cursor = cursor_after([row.run for row in rows], limit)
    return QueuePage.model_construct(items=items, next_cursor=next_cursor)


@router.get("/runs/{int:run_id}", response=RunOut)
def read_run(request: HttpRequest, run_id: int) -> RunOut:
    """Show one run. Here the `explanation` of a failed run names the actions that its script allows now, with `rerun`
    and `restore_version`; that of a run that succeeded tells the last error that it logged.
    """
    run = lookup.run(run_id)
    explanation = ends.explanation_of_run(run)
    if explanation:
        actions = remedies.actions_of_run(run, explanation["actions"])
        run.explanation = {**explanation, "actions": actions}
    else:
        run.explanation = ends.logged_error_of_run(run)
    return run_out(run)


@router.get("/runs/{int:run_id}/samples", response=SamplePage)
def read_samples(request: HttpRequest, run_id: int) -> SamplePage:
    """List what a run used while it went, a sample a second, thinned out where the samples are many."""
    run = lookup.run(run_id)
    items = [sample_out(sample) for sample in samples.samples_of_run(run)]
    return SamplePage.model_construct(
        items=items, next_cursor=None, memory_limit_mb=run.memory_mb, status=run.status
    )


@router.post("/runs/{int:run_id}/cancel", auth=auth.RUN, response=RunOut)
def cancel_run(request: auth.AuthenticatedRequest, run_id: int) -> RunOut:
    """Cancel a run. A run under way ends within its grace time, with every process it started."""
    if not execution.cancel(lookup.run(run_id), by=request.auth.name, now=timezone.now()):
        raise HttpError(409, f"Run {run_id} has ended already.")
    return run_out(lookup.run(run_id))


def run_out(run: Run) -> RunOut:
    return RunOut.model_construct(
        id=run.pk,
        script=run.script.slug if run.script else None,
        version=run.version.number if run.version else None,
        schedule=run.schedule_id,
        parent=run.parent_id,
        flags=run.flags,
        message=run.explain(),
        explanation=explanation_out(run.explanation),
        **{name: getattr(run, name) for name in SAME_NAMES},
    )


def row_out(row: RunRow) -> dict[str, Any]:
    """Return what `run_out` says of the same run."""
    values = row._asdict()
    explanation = explanation_out(row.explanation)
    values |= {
        "id": row.pk,
        "script": row.script__slug,
        "version": row.version__number,
        "schedule": row.schedule_id,
        "parent": row.parent_id,
        "flags": row.flags,
        "message": row.explain(),
        "explanation": explanation.model_dump() if explanation else None,
    }
    return {name: values[name] for name in RUN_FIELDS}


def sample_out(sample: samples.Sample) -> SampleOut:
    return SampleOut.model_construct(
        at=datetime.fromtimestamp(sample.at_ms / 1000, tz=UTC),
        cpu_percent=sample.cpu_percent,
        memory_mb=sample.memory_mb,
        processes=sample.processes,
        output_bytes=sample.output_bytes,
    )


def queue_item(item: explain.Waiting) -> QueueItem:
    return QueueItem.model_construct(
        run=item.run.pk,
        script=item.run.script.slug if item.run.script else None,
        position=item.position,
        due_at=item.run.due_at,
        waits_for=item.waits_for,
    )


def size_of(value: object) -> int:
    """Return the bytes of a value as JSON in UTF-8. Raises ValueError where that would not be JSON: 1e999."""
    try:
        return len(json.dumps(value, allow_nan=False, ensure_ascii=False).encode())
    except UnicodeEncodeError:
        raise ValueError("contains half a surrogate pair, which is no character") from None


def is_deeper(value: object, levels: int) -> bool:
    if levels < 0:
        return True
    if isinstance(value, dict):
        return any(is_deeper(child, levels - 1) for child in value.values())
    if isinstance(value, list):
        return any(is_deeper(child, levels - 1) for child in value)
    return False
