"""REST operations on scripts as files: an export as a zip, and the import of one.

As on the page, the rooms that do the work are asked by module alone.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from django.http import Http404, StreamingHttpResponse
from django.utils import timezone
from ninja import File, UploadedFile
from pydantic import BaseModel

from scripts_app import reach
from scripts_app.api.common import router
from scripts_app.exchange import (
    applying,
    exporting,
    preparing,
    preview,
    reading,
    staging,
    zip_stream,
)
from scripts_app.models import Script
from tempo_site import auth
from tempo_site.web.api_types import content

if TYPE_CHECKING:
    from scripts_app.exchange.preview import Planned

ZIP = content("application/zip")


class ImportedItem(BaseModel):
    """A script in an import. `action`: `create`, `replace`, `copy`, `keep`, `same` or `refuse`; `reason` says why.

    `notes` name what is not taken over, and what is left to be done by hand.
    """

    slug: str
    action: str
    reason: str
    notes: list[str]


class ImportOut(BaseModel):
    """What an import did, or with `dry_run` would do."""

    items: list[ImportedItem]


@router.get("/export", response={200: None}, tags=["export and import"], openapi_extra=ZIP)
@auth.filters_by_limits
def export_scripts(
    request: auth.AuthenticatedRequest, folder: str = "", script: str = "", versions: bool = False
) -> StreamingHttpResponse:
    """Download scripts as a zip of plain files: all, those of a `folder` and below, or one `script`.

    With `versions` their older texts lie in it too. Values of secrets, keys and users never do.
    """
    limits = request.auth.limits
    among = Script.objects.present().filter(reach.within(limits, "pk"))
    rows = exporting.chosen(among, folder=folder, slug=script)
    if limits is not None and not rows.exists():
        raise Http404("The key is limited to scripts, and none of them is here.")
    found = exporting.export(rows, with_versions=versions)
    return zip_stream.attachment(found, name=script or "scripts")


@router.post("/import", response=ImportOut, tags=["export and import"])
def import_scripts(
    request: auth.AuthenticatedRequest,
    file: Annotated[list[UploadedFile], File(default=[])],
    dry_run: bool = False,
    on_conflict: Literal["keep", "replace", "copy"] = "keep",
    switch_on: bool = False,
) -> ImportOut:
    """Make scripts of what is sent (`multipart/form-data`, `file`): an export of Tempo, a Python file or several.

    All of them or none. A script that is here and differs stays, is replaced, or gets a copy beside it. Schedules are
    switched off unless `switch_on`.
    """
    now = timezone.now()
    uploads = [(upload.name or "", upload.chunks()) for upload in file]
    staged = staging.take_uploads(uploads, owner=request.auth.name, now=now)
    act = preparing.Import(by=request.auth.user, now=now, switch_on=switch_on)
    try:
        planned = preview.plan(
            reading.items(staged),
            on_conflict=preview.ItemChoice(on_conflict),
            with_switches=switch_on,
        )
        if dry_run:
            planned = applying.try_out(planned, act)
        else:
            applying.apply(planned, staged, act)
    finally:
        staging.discard_unless_wanted(staged)
    more = [applying.UNPLACED] if act.is_unplaced else []
    return ImportOut.model_construct(items=[item_out(each, more) for each in planned])


def item_out(planned: "Planned", more: Sequence[str] = ()) -> ImportedItem:
    return ImportedItem.model_construct(
        slug=planned.item.slug,
        action=planned.action.value,
        reason=planned.reason,
        notes=[*planned.notes, *more],
    )
