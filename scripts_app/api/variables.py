"""REST operations on variables, of a script or for all scripts; the value of a secret is taken and never given."""

from datetime import datetime

from django.http import Http404, HttpRequest
from django.views.decorators.debug import sensitive_variables
from ninja.responses import Status
from pydantic import BaseModel, ConfigDict, SecretStr, StrictBool

from scripts_app import lookup
from scripts_app.api.common import router
from scripts_app.models import Script, Variable
from scripts_app.variables import variables
from tempo_site import auth
from tempo_site.web.api_types import Limit, cursor_after


class VariableIn(BaseModel):
    """The new value of a variable. Without `secret` a stored variable stays secret or plain; a new one is plain."""

    model_config = ConfigDict(extra="forbid")

    value: SecretStr  # of plain ones too: a report of an error shows the request without the value
    secret: StrictBool | None = None


class VariableOut(BaseModel):
    """A variable. `value` is null for a secret; `readable`: whether a run would get the value (else set it again)."""

    name: str
    secret: bool
    value: str | None
    readable: bool
    updated_at: datetime
    updated_by: str


class VariablePage(BaseModel):
    """Variables by name."""

    items: list[VariableOut]
    next_cursor: str | None


@router.get("/variables", response=VariablePage, tags=["variables"])
def list_variables(
    request: auth.AuthenticatedRequest, limit: Limit, cursor: str = ""
) -> VariablePage:
    """List the variables for all scripts."""
    return page(None, limit, cursor)


@router.put("/variables/{name}", response=VariableOut, tags=["variables"])
def set_variable(request: auth.AuthenticatedRequest, name: str, data: VariableIn) -> VariableOut:
    """Set a variable for all scripts."""
    auth.require_staff(request.auth, variables.ONLY_STAFF_SET_VARIABLES)
    return put(request, None, name, data)


@router.delete("/variables/{name}", response={204: None}, tags=["variables"])
def delete_variable(request: auth.AuthenticatedRequest, name: str) -> Status[None]:
    """Delete a variable for all scripts."""
    auth.require_staff(request.auth, variables.ONLY_STAFF_SET_VARIABLES)
    return remove(None, name)


@router.get("/scripts/{slug:slug}/variables", response=VariablePage, tags=["variables"])
def list_script_variables(
    request: HttpRequest, slug: str, limit: Limit, cursor: str = ""
) -> VariablePage:
    """List a script's own variables."""
    return page(lookup.script(slug), limit, cursor)


@router.put("/scripts/{slug:slug}/variables/{name}", response=VariableOut, tags=["variables"])
def set_script_variable(
    request: auth.AuthenticatedRequest, slug: str, name: str, data: VariableIn
) -> VariableOut:
    """Set a variable of a script, in place of a variable for all scripts with the same name."""
    return put(request, lookup.script(slug), name, data)


@router.delete("/scripts/{slug:slug}/variables/{name}", response={204: None}, tags=["variables"])
def delete_script_variable(request: HttpRequest, slug: str, name: str) -> Status[None]:
    """Delete a variable of a script."""
    return remove(lookup.script(slug), name)


def page(script: Script | None, limit: int, cursor: str) -> VariablePage:
    rows = list(variables.variables_of(script).filter(name__gt=cursor)[: limit + 1])
    return VariablePage.model_construct(
        items=[variable_out(row) for row in rows[:limit]],
        next_cursor=cursor_after(rows, limit, "name"),
    )


@sensitive_variables()
def put(
    request: auth.AuthenticatedRequest, script: Script | None, name: str, data: VariableIn
) -> VariableOut:
    row = variables.save(
        script,
        name=name,
        value=data.value.get_secret_value(),
        is_secret=data.secret,
        by=request.auth.name,
    )
    return variable_out(row)


def remove(script: Script | None, name: str) -> Status[None]:
    if not variables.remove(script, name):
        raise Http404(f"There is no variable `{name[:80]}` here.")
    return Status(204, None)


def variable_out(row: Variable) -> VariableOut:
    return VariableOut.model_construct(
        name=row.name,
        secret=row.is_secret,
        value=None if row.is_secret else row.value,
        readable=variables.is_readable(row),
        updated_at=row.updated_at,
        updated_by=row.updated_by,
    )
