"""REST operations on scripts; each finds a row, calls a verb and answers."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja.errors import HttpError
from ninja.responses import Status
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from scripts_app import deletion, lookup, reach, script_rows, scripts
from scripts_app.api.common import IF_MATCH, based_on, router
from scripts_app.models import Script
from scripts_app.script_rows import ScriptRow
from tempo_site import auth
from tempo_site.lib import origins
from tempo_site.lib.wire import json_answer
from tempo_site.web.api_types import Limit, Number, cursor_after, without_defaults

STAYS_WHERE_IT_IS = (
    "A key that is limited to some scripts moves none of them.\nhint: use a key without limits"
)


class ScriptIn(BaseModel):
    """A new script. Limits that are left out take the server's defaults."""

    # The document names no defaults: clients made of it would send them, and a limit of 0 is none of the server's.
    model_config = ConfigDict(extra="forbid", json_schema_extra=without_defaults)

    name: str
    folder: str = ""
    description: str = ""
    tags: list[str] = Field(default=[], max_length=50)
    code: str = ""
    requirements: str = ""
    python_version: str = ""
    timeout_s: Number = 0
    memory_mb: Number = 0
    cpu_s: Number = 0
    processes: Number = 0
    output_mb: Number = 0
    file_mb: Number = 0
    nice: Number = 0
    as_service_user: StrictBool = False
    allow_source: StrictBool = False
    one_at_a_time: StrictBool = Field(
        default=False,
        description="Whoever starts a run, it waits for the run of the script that is under way.",
    )
    parameters: list[dict[str, Any]] = Field(
        default=[],
        max_length=50,
        description="The inputs of its runs, unless its code declares them.",
    )


class ScriptPatch(ScriptIn):
    """Changes to a script; fields that are left out do not change."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=without_defaults)

    name: str = ""
    enabled: StrictBool = True
    note: str = Field(
        default="", description="What changed, and why: kept with the version that this makes."
    )


class EnvironmentOut(BaseModel):
    """The environment a script has, or is waiting for: `wanted`, `building`, `ready` or `failed` with a message."""

    id: int
    state: str
    python: str
    message: str


class TriggerSwitches(BaseModel):
    """Whether a script has a URL trigger that is on, and what that allows; `/trigger` shows all of it."""

    enabled: bool = False
    get: bool = False
    key_in_url: bool = False


class ScriptOut(BaseModel):
    """A script. `version` is the number of the current version; `revision` counts every change of the text.

    `parameters` are the parameters in force: as declared in the code, or else in the settings.
    """

    slug: str
    name: str
    folder: str
    description: str
    tags: list[str]
    enabled: bool
    code: str
    requirements: str
    python_version: str
    version: int
    revision: int
    environment: EnvironmentOut | None
    timeout_s: int
    memory_mb: int
    cpu_s: int
    processes: int
    output_mb: int
    file_mb: int
    nice: int
    as_service_user: bool
    allow_source: bool
    one_at_a_time: bool
    parameters: list[dict[str, Any]]
    trigger: TriggerSwitches
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


SCRIPT_FIELDS = tuple(ScriptOut.model_fields)


class DuplicateIn(BaseModel):
    """A copy of a script; by default the name gets `(copy)` at the end and the folder is the same."""

    model_config = ConfigDict(extra="forbid")

    name: str = ""
    folder: str | None = None


class ScriptPage(BaseModel):
    """Scripts by slug."""

    items: list[ScriptOut]
    next_cursor: str | None


@router.post("/scripts", response={201: ScriptOut}, tags=["scripts"])
def create_script(
    request: auth.AuthenticatedRequest, response: HttpResponse, data: ScriptIn
) -> Status[ScriptOut]:
    """Create a script; the environment is built in the background."""
    script = scripts.create(
        by=request.auth.user, now=timezone.now(), **data.model_dump(exclude_unset=True)
    )
    response.headers["Location"] = origins.with_base(f"/api/v1/scripts/{script.slug}")
    return Status(201, script_out(lookup.script(script.slug)))


@router.get("/scripts", response=ScriptPage, tags=["scripts"])
@auth.filters_by_limits
def list_scripts(
    request: auth.AuthenticatedRequest, limit: Limit, cursor: str = "", deleted: bool = False
) -> HttpResponse:
    """List scripts by slug; with `deleted` the deleted scripts that can be restored, for 30 days."""
    found = Script.objects.restorable() if deleted else Script.objects.present()
    found = found.filter(reach.within(request.auth.limits, "pk"))
    rows = script_rows.rows(found.filter(slug__gt=cursor).order_by("slug")[: limit + 1])
    items = [row_out(row) for row in rows[:limit]]
    return json_answer.answer({"items": items, "next_cursor": cursor_after(rows, limit, "slug")})


@router.get("/scripts/{slug:slug}", response=ScriptOut, tags=["scripts"])
def read_script(request: HttpRequest, response: HttpResponse, slug: str) -> ScriptOut:
    """Show a script. The header `ETag` is its revision, for `If-Match` of a change."""
    script = lookup.script(slug)
    response.headers["ETag"] = f'"{script.revision}"'
    return script_out(script)


@router.patch("/scripts/{slug:slug}", response=ScriptOut, tags=["scripts"], openapi_extra=IF_MATCH)
def change_script(request: auth.AuthenticatedRequest, slug: str, data: ScriptPatch) -> ScriptOut:
    """Change a script. New code, requirements or Python make a new version and end the draft.

    With `If-Match: "<revision>"` a text that was changed in the meantime is not replaced: 412.
    """
    script, changes = lookup.script(slug), data.model_dump(exclude_unset=True)
    if request.auth.limits is not None:
        refuse_beyond_limits(script, changes)
    scripts.update(
        script, by=request.auth.user, now=timezone.now(), based_on=based_on(request), **changes
    )
    return script_out(lookup.script(slug))


def refuse_beyond_limits(script: Script, changes: dict[str, Any]) -> None:
    # A script that runs as Tempo's own user reads whatever its key was to be kept from.
    if "folder" in changes:
        raise HttpError(403, STAYS_WHERE_IT_IS)
    scripts.refuse_what_staff_sets(script, changes)


@router.delete("/scripts/{slug:slug}", response={204: None}, tags=["scripts"])
def delete_script(request: HttpRequest, slug: str) -> Status[None]:
    """Delete a script; the history stays, and for 30 days the script can be restored."""
    scripts.delete(lookup.script(slug), now=timezone.now())
    return Status(204, None)


@router.post("/scripts/{slug:slug}/restore", response=ScriptOut, tags=["scripts"])
def restore_script(request: HttpRequest, slug: str) -> ScriptOut:
    """Bring a deleted script back, into the folder it lay in."""
    deletion.restore(lookup.deleted(slug), now=timezone.now())
    return script_out(lookup.script(slug))


@router.post("/scripts/{slug:slug}/duplicate", response={201: ScriptOut}, tags=["scripts"])
def duplicate_script(
    request: auth.AuthenticatedRequest,
    response: HttpResponse,
    slug: str,
    data: DuplicateIn | None = None,
) -> Status[ScriptOut]:
    """Copy a script with settings, variables and schedules, but without files; the copy is disabled."""
    chosen = data.model_dump(exclude_unset=True) if data else {}
    script = lookup.script(slug)
    copy = scripts.duplicate(script, by=request.auth.user, now=timezone.now(), **chosen)
    response.headers["Location"] = origins.with_base(f"/api/v1/scripts/{copy.slug}")
    return Status(201, script_out(lookup.script(copy.slug)))


def script_out(script: Script) -> ScriptOut:
    values = row_out(script_rows.row_of(script))
    environment = values["environment"]
    if environment is not None:
        values["environment"] = EnvironmentOut.model_construct(**environment)
    values["trigger"] = TriggerSwitches.model_construct(**values["trigger"])
    return ScriptOut.model_construct(**values)


def row_out(row: ScriptRow) -> dict[str, Any]:
    values = row._asdict()
    values |= {
        "folder": row.folder__path or "",
        "version": row.version__number or 0,
        "code": row.version__code or "",
        "requirements": row.version__requirements or "",
        "python_version": row.version__python_version or "",
        "environment": environment_of_row(row),
        "parameters": row.declared,
        "trigger": {
            "enabled": bool(row.url_trigger__enabled),
            "get": bool(row.url_trigger__allow_get),
            "key_in_url": bool(row.url_trigger__allow_query_key),
        },
    }
    return {name: values[name] for name in SCRIPT_FIELDS}


def environment_of_row(row: ScriptRow) -> dict[str, Any] | None:
    """Return the environment that the current version asks for, or else the environment in use."""
    if row.wanted_environment_id is not None:
        return {
            "id": row.wanted_environment_id,
            "state": row.wanted_environment__state,
            "python": row.wanted_environment__python,
            "message": row.wanted_environment__message,
        }
    if row.environment_id is None:
        return None
    return {
        "id": row.environment_id,
        "state": row.environment__state,
        "python": row.environment__python,
        "message": row.environment__message,
    }
