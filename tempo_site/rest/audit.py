"""The REST operation that shows the audit."""

from datetime import datetime
from typing import Annotated, Any

from ninja import Query
from pydantic import AwareDatetime, BaseModel

from tempo_site import auth
from tempo_site.audit import reading
from tempo_site.models import AuditEntry
from tempo_site.web.late_operations import Router

ONLY_STAFF = "The audit is for staff.\nhint: ask a user of the staff"
MAX_PAGE = 200

router = Router(tags=["audit"])
Limit = Annotated[int, Query(default=50, ge=1, le=MAX_PAGE)]
Cursor = Annotated[str, Query(default="", pattern=r"^\d{0,18}$")]
Word = Annotated[str, Query(default="", max_length=200)]
Moment = Annotated[AwareDatetime | None, Query(default=None)]


class AuditOut(BaseModel):
    """Who did what, to what, from where. `changes` has `[before, after]` by name; of a secret it has nothing."""

    id: int
    at: datetime
    actor: str
    name: str
    address: str
    verb: str
    kind: str
    object_id: str
    object_name: str
    changes: dict[str, Any]


class AuditPage(BaseModel):
    """Entries, the newest first."""

    items: list[AuditOut]
    next_cursor: str | None


# Not for keys that may read: who does what, and from where, is of the operator.
@router.get("/audit", auth=auth.FULL, response=AuditPage)
def list_audit(
    request: auth.AuthenticatedRequest,
    limit: Limit,
    cursor: Cursor,
    q: Word,
    actor: Word,
    verb: Word,
    kind: Word,
    address: Word,
    after: Moment,
    before: Moment,
) -> AuditPage:
    """List what was changed and started, by whom, and who logged in."""
    auth.require_staff(request.auth, ONLY_STAFF)
    asked = reading.Filter(
        q=q, actor=actor, verb=verb, kind=kind, address=address, after=after, before=before
    )
    rows = list(reading.entries(asked, below=int(cursor) if cursor else None)[: limit + 1])
    next_cursor = str(rows[limit - 1].pk) if len(rows) > limit else None
    items = [entry_out(row) for row in rows[:limit]]
    return AuditPage.model_construct(items=items, next_cursor=next_cursor)


def entry_out(row: AuditEntry) -> AuditOut:
    return AuditOut.model_construct(**{name: getattr(row, name) for name in AuditOut.model_fields})
