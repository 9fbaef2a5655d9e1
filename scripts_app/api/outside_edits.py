"""REST operations on edits of a script's readable copies from outside."""

from datetime import datetime

from django.http import HttpRequest
from django.utils import timezone
from ninja.responses import Status
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from scripts_app import external_edits, lookup
from scripts_app.api.common import router
from scripts_app.api.scripts import ScriptOut, script_out
from scripts_app.versions import working_copy
from scripts_app.versions.working_copy import ExternalEdit
from tempo_site import auth


class OutsideEditOut(BaseModel):
    """A text in `main.py` and `requirements.txt` that is no version yet. `problem` says why no version can be made."""

    exists: bool
    seen: str
    changed_at: datetime | None
    files: list[str]
    code: str
    requirements: str
    problem: str


class OutsideEditIn(BaseModel):
    """Whether the edit becomes the current version or is put back; either way the text is among the versions."""

    model_config = ConfigDict(extra="forbid")

    take: StrictBool
    seen: str | None = Field(
        default=None, max_length=64, description="As it was read: refused when it is another now."
    )


@router.get("/scripts/{slug:slug}/outside-edit", response=OutsideEditOut, tags=["versions"])
def read_outside_edit(request: HttpRequest, slug: str) -> OutsideEditOut:
    """Show whether the files of a script were edited on the disk, and the text of the edit."""
    return edit_out(working_copy.find_edit(lookup.script(slug)))


@router.post("/scripts/{slug:slug}/outside-edit", response=ScriptOut, tags=["versions"])
def decide_on_outside_edit(
    request: auth.AuthenticatedRequest, slug: str, data: OutsideEditIn
) -> Status[ScriptOut]:
    """Take an edit on the disk as the new version, or write the current version over the edit."""
    script = lookup.script(slug)
    edit = working_copy.find_edit(script)
    seen = data.seen
    if seen is None:
        seen = edit.seen if edit else ""
    if data.take:
        external_edits.accept(script, seen=seen, by=request.auth.user, now=timezone.now())
    else:
        external_edits.revert(script, seen=seen)
    return Status(200, script_out(lookup.script(slug)))


def edit_out(edit: ExternalEdit | None) -> OutsideEditOut:
    if edit is None:
        return OutsideEditOut.model_construct(
            exists=False, seen="", changed_at=None, files=[], code="", requirements="", problem=""
        )
    return OutsideEditOut.model_construct(
        exists=True,
        seen=edit.seen,
        changed_at=edit.changed_at,
        files=sorted(edit.digests),
        code=edit.code,
        requirements=edit.requirements,
        problem=edit.problem,
    )
