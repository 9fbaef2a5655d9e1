"""REST operations on API keys: made, changed, rotated and revoked. A token is shown once, when it is made."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from django.http import Http404, HttpResponse
from django.utils import timezone
from ninja import Query
from ninja.responses import Status
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from scripts_app import reach
from tempo_site import auth
from tempo_site.accounts import keys
from tempo_site.accounts.keys import KeyLimits
from tempo_site.lib import origins
from tempo_site.models import ApiKey
from tempo_site.web.late_operations import Router

ONLY_STAFF = "API keys are for staff.\nhint: ask a user of the staff"
MAX_PAGE = 200

router = Router(tags=["keys"])
Limit = Annotated[int, Query(default=50, ge=1, le=MAX_PAGE)]
Cursor = Annotated[str, Query(default="", pattern=r"^\d{0,18}$")]
Names = Annotated[list[str], Field(max_length=keys.MAX_NAMED)]


class KeyPatch(BaseModel):
    """Changes to a key; what is left out stays. With `scripts` or `folders` it is limited to them, null lifts that."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(default="", max_length=100)
    scope: Literal["read", "run", "full"] = "read"
    expires_at: AwareDatetime | None = None
    scripts: Names | None = Field(default=None, description="Addresses of scripts.")
    folders: Names | None = Field(default=None, description="Paths of folders, with all below.")


class KeyIn(KeyPatch):
    """A new key. With `scripts` or `folders` it is limited to them, and sees nothing else."""

    name: str = Field(max_length=100)


class RotationIn(BaseModel):
    """For how many hours the token of before holds beside the new one."""

    model_config = ConfigDict(extra="forbid")

    overlap_hours: int = Field(default=0, ge=0, le=keys.LONGEST_OVERLAP_H)


class KeyOut(BaseModel):
    """A key. `begins_with` is the beginning of its token, of which only a hash is stored."""

    id: int
    name: str
    scope: str
    begins_with: str
    limited: bool
    scripts: list[str]
    folders: list[str]
    expires_at: datetime | None
    created_at: datetime
    created_by: str | None
    last_used_at: datetime | None
    last_used_from: str
    old_token_until: datetime | None


class NewKeyOut(KeyOut):
    """A key with its token, which is shown this once."""

    token: str


class KeyPage(BaseModel):
    """Keys, oldest first."""

    items: list[KeyOut]
    next_cursor: str | None


# Not for keys that may read: whose keys there are is of the operator.
@router.get("/keys", auth=auth.FULL, response=KeyPage)
def list_keys(request: auth.AuthenticatedRequest, limit: Limit, cursor: Cursor) -> KeyPage:
    """List the API keys."""
    auth.require_staff(request.auth, ONLY_STAFF)
    rows = ApiKey.objects.select_related("created_by").filter(pk__gt=int(cursor or 0))
    found = list(rows.order_by("pk")[: limit + 1])
    next_cursor = str(found[limit - 1].pk) if len(found) > limit else None
    items = [key_out(key) for key in found[:limit]]
    return KeyPage.model_construct(items=items, next_cursor=next_cursor)


@router.post("/keys", response={201: NewKeyOut})
def create_key(
    request: auth.AuthenticatedRequest, response: HttpResponse, data: KeyIn
) -> Status[NewKeyOut]:
    """Make a key; its `token` is shown this once."""
    auth.require_staff(request.auth, ONLY_STAFF)
    key, token = keys.create(
        name=data.name,
        scope=data.scope,
        limits=limits_in(data),
        expires_at=data.expires_at,
        by=request.auth.user,
        now=timezone.now(),
    )
    response.headers["Location"] = origins.with_base(f"/api/v1/keys/{key.pk}")
    return Status(201, new_key_out(key, token))


@router.get("/keys/{int:key_id}", auth=auth.FULL, response=KeyOut)
def read_key(request: auth.AuthenticatedRequest, key_id: int) -> KeyOut:
    """Show a key."""
    auth.require_staff(request.auth, ONLY_STAFF)
    return key_out(find(key_id))


@router.patch("/keys/{int:key_id}", response=KeyOut)
def change_key(request: auth.AuthenticatedRequest, key_id: int, data: KeyPatch) -> KeyOut:
    """Change name, scope, expiry or limits of a key; the token stays."""
    auth.require_staff(request.auth, ONLY_STAFF)
    given = data.model_fields_set
    changes: dict[str, Any] = {
        name: getattr(data, name) for name in ("name", "scope", "expires_at") if name in given
    }
    if given & {"scripts", "folders"}:
        changes["limits"] = limits_in(data)
    return key_out(keys.change(find(key_id), now=timezone.now(), **changes))


@router.post("/keys/{int:key_id}/rotate", response=NewKeyOut)
def rotate_key(
    request: auth.AuthenticatedRequest, key_id: int, data: RotationIn | None = None
) -> NewKeyOut:
    """Give a key a new token, shown this once; the one of before holds for `overlap_hours` more."""
    auth.require_staff(request.auth, ONLY_STAFF)
    key = find(key_id)
    overlap = timedelta(hours=data.overlap_hours if data else 0)
    token = keys.rotate(key, overlap=overlap, now=timezone.now())
    return new_key_out(key, token)


@router.delete("/keys/{int:key_id}", response={204: None})
def revoke_key(request: auth.AuthenticatedRequest, key_id: int) -> Status[None]:
    """Revoke a key: whoever shows it is refused from now on."""
    auth.require_staff(request.auth, ONLY_STAFF)
    keys.revoke(find(key_id))
    return Status(204, None)


def find(key_id: int) -> ApiKey:
    rows = ApiKey.objects.select_related("created_by")
    key = rows.filter(pk=key_id).first() if key_id < 2**63 else None
    if key is None:
        raise Http404(f"There is no API key {str(key_id)[:20]}.")
    return key


def limits_in(data: KeyPatch) -> KeyLimits | None:
    if data.scripts is None and data.folders is None:
        return None
    return reach.named(data.scripts or [], data.folders or [])


def fields_of(key: ApiKey) -> dict[str, Any]:
    limits = keys.limits_of_key(key)
    slugs, paths = reach.names_of(limits) if limits else ([], [])
    return {
        "id": key.pk,
        "name": key.name,
        "scope": key.scope,
        "begins_with": key.prefix,
        "limited": key.is_limited,
        "scripts": slugs,
        "folders": paths,
        "expires_at": key.expires_at,
        "created_at": key.created_at,
        "created_by": key.created_by.get_username() if key.created_by else None,
        "last_used_at": key.last_used_at,
        "last_used_from": key.last_used_from,
        "old_token_until": key.old_until,
    }


def key_out(key: ApiKey) -> KeyOut:
    return KeyOut.model_construct(**fields_of(key))


def new_key_out(key: ApiKey, token: str) -> NewKeyOut:
    return NewKeyOut.model_construct(token=token, **fields_of(key))
