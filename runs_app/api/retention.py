"""REST operations on retention: the limits, what would be deleted, and deleting it now. All of it is for staff."""

from typing import Annotated

from django.http import Http404
from django.utils import timezone
from ninja.responses import Status
from pydantic import BaseModel, ConfigDict, Field, model_validator

from runs_app.api.common import router
from runs_app.engine import housekeeping
from runs_app.history import retention, retention_rules
from runs_app.history.retention import Going
from runs_app.history.retention_rules import RetentionChange
from runs_app.models import RetentionRule
from scripts_app import lookup
from tempo_site import auth
from tempo_site.audit import trail
from tempo_site.web.api_types import WHOLE

ONLY_STAFF = "What is kept of the history is for staff.\nhint: ask a user of the staff"

Days = Annotated[int, Field(strict=True, ge=1, le=36_500), WHOLE]
Number = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1), WHOLE]


class LimitsIn(BaseModel):
    """Limits of a script (`script`: its slug), of each script in a folder (`folder`: its path) or of all. A limit that
    is null is that of the next wider: a script takes its folder's, a folder that of all. Of all, null changes nothing.
    """

    model_config = ConfigDict(extra="forbid")

    script: str | None = None
    folder: str | None = None
    days: Days | None = None
    runs: Number | None = None
    mb: Number | None = None

    @model_validator(mode="after")
    def _has_one_target(self) -> "LimitsIn":
        if self.script is not None and self.folder is not None:
            raise ValueError("name a script or a folder, not both")
        return self


class LimitsOut(BaseModel):
    """Limits of a script, of a folder, or with neither of all scripts; `mb` of all is of all logs together. `id` is
    null for those of all, which cannot be removed.
    """

    id: int | None
    script: str | None
    folder: str | None
    days: int | None
    runs: int | None
    mb: int | None
    updated_by: str


class LimitsPage(BaseModel):
    """All limits: first those of all scripts, then those of folders and scripts."""

    items: list[LimitsOut]
    next_cursor: str | None


class GoingOut(BaseModel):
    """What retention would delete now."""

    runs: int
    log_bytes: int


@router.get("/retention", response=LimitsPage, tags=["retention"])
def list_limits(request: auth.AuthenticatedRequest) -> LimitsPage:
    """List how long finished runs are kept."""
    auth.require_staff(request.auth, ONLY_STAFF)
    own = [limits_out(rule) for rule in retention_rules.stored_rules()]
    return LimitsPage.model_construct(items=[limits_of_all(), *own], next_cursor=None)


@router.put("/retention", response=LimitsPage, tags=["retention"])
def change_limits(request: auth.AuthenticatedRequest, data: LimitsIn) -> LimitsPage:
    """Set the limits of a script, a folder or all. What is beyond them goes within the hour."""
    auth.require_staff(request.auth, ONLY_STAFF)
    retention_rules.save(change_of(data), by=request.auth.name)
    return list_limits(request)


@router.delete("/retention/{int:limits_id}", response={204: None}, tags=["retention"])
def remove_limits(request: auth.AuthenticatedRequest, limits_id: int) -> Status[None]:
    """Remove the limits of a script or a folder: those around it hold again."""
    auth.require_staff(request.auth, ONLY_STAFF)
    if not retention_rules.remove(limits_id):
        raise Http404(f"There are no limits {str(limits_id)[:20]}.")
    return Status(204, None)


@router.post("/retention/preview", response=GoingOut, tags=["retention"])
def preview(request: auth.AuthenticatedRequest, data: LimitsIn | None = None) -> GoingOut:
    """Tell what would be deleted now, with such limits or, without a body, with those that are stored."""
    auth.require_staff(request.auth, ONLY_STAFF)
    change = change_of(data) if data else None
    return going_out(retention.preview(now=timezone.now(), change=change))


@router.post("/retention/delete-now", response=GoingOut, tags=["retention"])
def delete_now(request: auth.AuthenticatedRequest) -> GoingOut:
    """Delete what is beyond the limits now, not within the hour: it begins within half a minute."""
    auth.require_staff(request.auth, ONLY_STAFF)
    now = timezone.now()
    going = retention.preview(now=now)
    housekeeping.hurry("retention", now=now)
    trail.record("asked for", kind="retention", name="now")
    return going_out(going)


def change_of(data: LimitsIn) -> RetentionChange:
    return RetentionChange(
        days=data.days,
        runs=data.runs,
        mb=data.mb,
        script=lookup.script(data.script) if data.script is not None else None,
        folder=lookup.folder_at(data.folder) if data.folder is not None else None,
    )


def limits_of_all() -> LimitsOut:
    found = retention_rules.rules()
    return LimitsOut.model_construct(
        id=None,
        script=None,
        folder=None,
        days=found.default.days,
        runs=found.default.runs,
        mb=found.total_mb,
        updated_by="",
    )


def limits_out(rule: RetentionRule) -> LimitsOut:
    return LimitsOut.model_construct(
        id=rule.pk,
        script=rule.script.slug if rule.script else None,
        folder=rule.folder.path if rule.folder else None,
        days=rule.days,
        runs=rule.runs,
        mb=rule.mb,
        updated_by=rule.updated_by,
    )


def going_out(going: Going) -> GoingOut:
    return GoingOut.model_construct(runs=going.runs, log_bytes=going.log_bytes)
