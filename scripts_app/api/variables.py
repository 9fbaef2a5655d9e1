"""REST operations on variables, of a script or for all scripts; the value of a secret is taken and never given."""

from datetime import datetime

from django.http import Http404, HttpRequest
from django.views.decorators.debug import sensitive_variables
from ninja.responses import Status
from pydantic import BaseModel, ConfigDict, SecretStr, StrictBool

from scripts_app import lookup
from scripts_app.api.common import Limit, check_staff, router
from scripts_app.models import Script, Variable
from scripts_app.variables import variables
from tempo_site import auth

BY_STAFF = "Variables for all scripts are set by staff.\nhint: set one of the script"


class VariableIn(BaseModel):
    """What a variable is to be. `secret` left out: what there is stays what it was, and a new one is none."""

    model_config = ConfigDict(extra="forbid")

    value: SecretStr  # also where it is none: what is written of a request in an error has no value in it
    secret: StrictBool | None = None


class VariableOut(BaseModel):
    """A variable. `value` is null for a secret; `readable`: whether a run would get it (else set it again)."""

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
    check_staff(request, BY_STAFF)
    return put(request, None, name, data)


@router.delete("/variables/{name}", response={204: None}, tags=["variables"])
def delete_variable(request: auth.AuthenticatedRequest, name: str) -> Status[None]:
    """Delete a variable for all scripts."""
    check_staff(request, BY_STAFF)
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
    """Set a variable of a script; it wins over the one for all scripts."""
    return put(request, lookup.script(slug), name, data)


@router.delete("/scripts/{slug:slug}/variables/{name}", response={204: None}, tags=["variables"])
def delete_script_variable(request: HttpRequest, slug: str, name: str) -> Status[None]:
    """Delete a variable of a script."""
    return remove(lookup.script(slug), name)


def page(script: Script | None, limit: int, cursor: str) -> VariablePage:
    """Return a page of the variables of a script, or of all."""
    rows = list(variables.variables_of(script).filter(name__gt=cursor)[: limit + 1])
    return VariablePage.model_construct(
        items=[variable_out(row) for row in rows[:limit]],
        next_cursor=rows[limit - 1].name if len(rows) > limit else None,
    )


@sensitive_variables()
def put(
    request: auth.AuthenticatedRequest, script: Script | None, name: str, data: VariableIn
) -> VariableOut:
    """Set one."""
    value = data.value.get_secret_value()
    return variable_out(
        variables.save(script, name=name, value=value, is_secret=data.secret, by=request.auth.name)
    )


def remove(script: Script | None, name: str) -> Status[None]:
    """Delete one. Raises Http404."""
    if not variables.remove(script, name):
        raise Http404(f"There is no variable `{name[:80]}` here.")
    return Status(204, None)


def variable_out(row: Variable) -> VariableOut:
    """Return a variable as JSON shows it."""
    return VariableOut.model_construct(
        name=row.name,
        secret=row.is_secret,
        value=None if row.is_secret else row.value,
        readable=variables.is_readable(row),
        updated_at=row.updated_at,
        updated_by=row.updated_by,
    )
