"""REST operations on the versions of a script: list, show, annotate, restore, compare."""

from datetime import datetime
from typing import Annotated, Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Query
from pydantic import BaseModel, ConfigDict

from runs_app.history import regression
from scripts_app import lookup, scripts
from scripts_app.api.common import router
from scripts_app.models import Script, Version
from scripts_app.packages.locks import Change
from scripts_app.versions import comparison, versions
from scripts_app.versions.settings_snapshot import SettingDifference
from tempo_site import auth
from tempo_site.web.api_types import MAX_NUMBER, Cursor, Limit, content, cursor_after

TEXT = "text/plain; charset=utf-8"
AS_TEXT = content("text/plain")

From = Annotated[int, Query(alias="from", ge=1, le=MAX_NUMBER)]
To = Annotated[int, Query(alias="to", ge=1, le=MAX_NUMBER)]


class VersionOut(BaseModel):
    """A version. `is_draft`: kept from a draft, never the current version. `settings_hash` is the SHA-256 of the limits
    and switches at the time of saving; `environment` is the environment that was locked for the version.
    """

    number: int
    is_current: bool
    is_draft: bool
    author: str
    note: str
    created_at: datetime
    python_version: str
    settings_hash: str
    syntax_error: str
    environment: int | None


class VersionDetail(VersionOut):
    """A version with texts and with the settings at the time of saving."""

    code: str
    requirements: str
    settings: dict[str, Any]


class VersionPage(BaseModel):
    """Versions, newest first."""

    items: list[VersionOut]
    next_cursor: str | None


class VersionPatch(BaseModel):
    """The note of a version, a line of at most 200 characters."""

    model_config = ConfigDict(extra="forbid")

    note: str


class DifferenceOut(BaseModel):
    """A setting or a package that is different; an empty side is not there."""

    name: str
    before: str
    after: str


class TurningPointOut(BaseModel):
    """The last good run and the first bad run after it; `diff` compares the versions as `diff -u` does."""

    good_run: int
    bad_run: int
    good_version: int
    bad_version: int
    diff: str
    settings: list[DifferenceOut]
    packages: list[DifferenceOut]


@router.get("/scripts/{slug:slug}/versions", response=VersionPage, tags=["versions"])
def list_versions(request: HttpRequest, slug: str, limit: Limit, cursor: Cursor) -> VersionPage:
    """List the versions of a script, newest first, without texts."""
    script = lookup.script(slug)
    rows = script.versions.defer("code", "requirements", "settings")
    if cursor:
        rows = rows.filter(number__lt=int(cursor))
    found = list(rows[: limit + 1])
    items = [
        VersionOut.model_construct(**version_fields(script, version)) for version in found[:limit]
    ]
    next_cursor = cursor_after(found, limit, "number")
    return VersionPage.model_construct(items=items, next_cursor=next_cursor)


@router.get(
    "/scripts/{slug:slug}/versions/diff",
    response={200: None},
    openapi_extra=AS_TEXT,
    tags=["versions"],
)
def compare_versions(request: HttpRequest, slug: str, before: From, after: To) -> HttpResponse:
    """Return how two versions differ, as `diff -u` writes it (text/plain); empty for equal texts."""
    script = lookup.script(slug)
    text = comparison.unified(lookup.version(script, before), lookup.version(script, after))
    return HttpResponse(text, content_type=TEXT)


@router.get(
    "/scripts/{slug:slug}/versions/last-good-to-first-bad",
    response=TurningPointOut,
    tags=["versions"],
)
def read_turning_point(request: HttpRequest, slug: str) -> TurningPointOut:
    """Show the change between the last good run and the first bad run after it; 404 without two such runs."""
    point = regression.find_regression(lookup.script(slug))
    if point is None:
        raise Http404(
            "There are no two such runs: it never failed, or no good run from before is kept."
        )
    before, after = regression.versions(point)
    found = regression.differences(point)
    return TurningPointOut.model_construct(
        good_run=point.good.pk,
        bad_run=point.bad.pk,
        good_version=before.number,
        bad_version=after.number,
        diff=comparison.unified(before, after),
        settings=[difference_out(difference) for difference in found.settings],
        packages=[difference_out(change) for change in found.packages],
    )


@router.get("/scripts/{slug:slug}/versions/{int:number}", response=VersionDetail, tags=["versions"])
def read_version(request: HttpRequest, slug: str, number: int) -> VersionDetail:
    """Show a version with texts."""
    script = lookup.script(slug)
    return version_out(script, lookup.version(script, number))


@router.patch(
    "/scripts/{slug:slug}/versions/{int:number}", response=VersionDetail, tags=["versions"]
)
def annotate_version(
    request: HttpRequest, slug: str, number: int, data: VersionPatch
) -> VersionDetail:
    """Change the note of a version; the other fields of a version cannot be changed."""
    script = lookup.script(slug)
    version = lookup.version(script, number)
    versions.annotate(version, data.note)
    return version_out(script, version)


@router.post(
    "/scripts/{slug:slug}/versions/{int:number}/restore", response=VersionDetail, tags=["versions"]
)
def restore_version(request: auth.AuthenticatedRequest, slug: str, number: int) -> VersionDetail:
    """Make a new version with the text of an older version, and show the version; an equal current version stays."""
    script = lookup.script(slug)
    version = lookup.version(script, number)
    restored = scripts.restore_version(script, version, by=request.auth.user, now=timezone.now())
    return version_out(script, restored)


def difference_out(difference: SettingDifference | Change) -> DifferenceOut:
    return DifferenceOut.model_construct(
        name=difference.name, before=difference.before, after=difference.after
    )


def version_out(script: Script, version: Version) -> VersionDetail:
    return VersionDetail.model_construct(
        **version_fields(script, version),
        code=version.code,
        requirements=version.requirements,
        settings=version.settings,
    )


def version_fields(script: Script, version: Version) -> dict[str, Any]:
    return {
        "number": version.number,
        "is_current": version.pk == script.version_id,
        "is_draft": version.is_draft,
        "author": version.saved_by,
        "note": version.note,
        "created_at": version.created_at,
        "python_version": version.python_version,
        "settings_hash": version.settings_hash,
        "syntax_error": version.syntax_error,
        "environment": version.environment_id,
    }
