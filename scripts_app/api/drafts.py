"""REST operations on the draft of a script, for the editor."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja.errors import HttpError
from pydantic import BaseModel, ConfigDict

from scripts_app import lookup
from scripts_app.api.common import IF_MATCH, based_on, router
from scripts_app.diagnostics import check
from scripts_app.diagnostics.missing_packages import known_modules
from scripts_app.diagnostics.models import Problem
from scripts_app.models import Script
from scripts_app.versions import drafts
from scripts_app.versions.drafts import Text
from tempo_site import auth


class DraftIn(BaseModel):
    """A text of a script, whole."""

    model_config = ConfigDict(extra="forbid")

    code: str
    requirements: str
    python_version: str


class DraftSaved(BaseModel):
    """The stored text's revision and problems. `is_draft` is false for a text equal to the current version."""

    revision: int
    saved_at: datetime | None
    is_draft: bool
    problems: list[Problem]


class DraftOut(DraftSaved):
    """The text of a script: the draft, or else the current version."""

    code: str
    requirements: str
    python_version: str
    author: str
    version: int


@router.get("/scripts/{slug:slug}/draft", response=DraftOut, tags=["drafts"])
def read_draft(request: HttpRequest, response: HttpResponse, slug: str) -> DraftOut:
    """Show the text of a script: the draft, or else the current version."""
    script = lookup.script(slug)
    return draft_out(response, script, drafts.text(script))


@router.put(
    "/scripts/{slug:slug}/draft", response=DraftSaved, tags=["drafts"], openapi_extra=IF_MATCH
)
def save_draft(
    request: auth.AuthenticatedRequest, response: HttpResponse, slug: str, data: DraftIn
) -> DraftSaved:
    """Save a draft. `If-Match: "<revision>"` names the text that was changed; 412 when there is a newer text."""
    script, now = lookup.script(slug), timezone.now()
    revision = revision_seen(request)
    text = drafts.save(
        script, based_on=revision, by=request.auth.user, now=now, **data.model_dump()
    )
    response.headers["ETag"] = etag(text)
    return DraftSaved.model_construct(**saved_fields(script, text))


@router.delete(
    "/scripts/{slug:slug}/draft", response=DraftOut, tags=["drafts"], openapi_extra=IF_MATCH
)
def discard_draft(request: HttpRequest, response: HttpResponse, slug: str) -> DraftOut:
    """Throw away the draft that `If-Match` names and show the text that is left: the current version's."""
    script = lookup.script(slug)
    drafts.discard(script, based_on=revision_seen(request))
    return draft_out(response, script, drafts.text(script))


def revision_seen(request: HttpRequest) -> int:
    """Return the revision in `If-Match`. Raises HttpError 428 without the header."""
    revision = based_on(request)
    if revision is None:
        raise HttpError(
            428,
            "It has to be said which text you have seen.\nhint: send `If-Match` with its revision",
        )
    return revision


def draft_out(response: HttpResponse, script: Script, text: Text) -> DraftOut:
    response.headers["ETag"] = etag(text)
    return DraftOut.model_construct(
        **saved_fields(script, text),
        author=text.author,
        version=text.version,
        code=text.code,
        requirements=text.requirements,
        python_version=text.python_version,
    )


def saved_fields(script: Script, text: Text) -> dict[str, Any]:
    return {
        "revision": text.revision,
        "saved_at": text.saved_at,
        "is_draft": text.is_draft,
        "problems": check.find_problems(**text.fields, known=known_modules(script)),
    }


def etag(text: Text) -> str:
    return f'"{text.revision}"'
