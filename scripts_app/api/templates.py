"""REST operations on templates: starters, to make scripts from."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from ninja.responses import Status
from pydantic import BaseModel, ConfigDict

from scripts_app import lookup, script_templates
from scripts_app.api.common import router
from scripts_app.api.scripts import ScriptOut, script_out
from scripts_app.script_templates import ScriptTemplate
from scripts_app.validation import ScriptError
from tempo_site import auth
from tempo_site.lib import origins


class TemplateIn(BaseModel):
    """Name and folder of the new script; by default the template's title, and no folder."""

    model_config = ConfigDict(extra="forbid")

    name: str = ""
    folder: str = ""


class SuggestionOut(BaseModel):
    """The schedule that a script from this template gets, switched off."""

    kind: str
    cron: str
    every_s: int | None
    description: str


class TemplateItem(BaseModel):
    """A template. `parameters` are the inputs of a run, as declared in the code."""

    name: str
    title: str
    description: str
    requirements: str
    schedule: SuggestionOut
    parameters: list[dict[str, Any]]


class TemplateOut(TemplateItem):
    """A template with the code."""

    code: str


class TemplatePage(BaseModel):
    """All templates; there is never a next page."""

    items: list[TemplateItem]
    next_cursor: str | None


@router.get("/templates", response=TemplatePage, tags=["templates"])
def list_templates(request: HttpRequest) -> TemplatePage:
    """List the templates that scripts can be made from."""
    found = script_templates.all_templates().values()
    items = [TemplateItem.model_construct(**template_fields(template)) for template in found]
    return TemplatePage.model_construct(items=items, next_cursor=None)


@router.get("/templates/{slug:name}", response=TemplateOut, tags=["templates"])
def read_template(request: HttpRequest, name: str) -> TemplateOut:
    """Show a template with the code."""
    template = find_template(name)
    return TemplateOut.model_construct(**template_fields(template), code=template.code)


@router.post("/templates/{slug:name}", response={201: ScriptOut}, tags=["templates"])
def create_from_template(
    request: auth.AuthenticatedRequest, response: HttpResponse, name: str, data: TemplateIn
) -> Status[ScriptOut]:
    """Create a script from a template. The suggested schedule comes along, switched off: no run starts by itself."""
    template = find_template(name)
    script = script_templates.create_from_template(
        template, by=request.auth.user, now=timezone.now(), **data.model_dump()
    )
    response.headers["Location"] = origins.with_base(f"/api/v1/scripts/{script.slug}")
    return Status(201, script_out(lookup.script(script.slug)))


def find_template(name: str) -> ScriptTemplate:
    """Return the template that an address names. Raises Http404."""
    try:
        return script_templates.find_template(name)
    except ScriptError as error:
        raise Http404(str(error)) from error


def template_fields(template: ScriptTemplate) -> dict[str, Any]:
    schedule = SuggestionOut.model_construct(
        kind=template.kind,
        cron=template.cron,
        every_s=template.every_s,
        description=template.rhythm,
    )
    return {
        "name": template.name,
        "title": template.title,
        "description": template.description,
        "requirements": template.requirements,
        "schedule": schedule,
        "parameters": template.parameters,
    }
