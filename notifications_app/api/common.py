"""The router of the operations on telling people, types of parameters, cursors, and who may call them."""

from collections.abc import Sequence
from typing import Annotated, Any

from django.db.models import Model
from ninja import Query, Router
from pydantic import Field

from tempo_site import auth

router = Router(tags=["notifications"])

MAX_PAGE = 200
DEFAULT_PAGE = 50
MAX_NUMBER = 2**31 - 1
ONLY_STAFF = "Who is told of what is for staff.\nhint: ask a user of the staff"

Limit = Annotated[int, Query(default=DEFAULT_PAGE, ge=1, le=MAX_PAGE)]
Cursor = Annotated[str, Query(default="", pattern=r"^\d{0,18}$")]
Number = Annotated[int, Field(strict=True, ge=0, le=MAX_NUMBER)]


def require_staff(request: auth.AuthenticatedRequest) -> None:
    auth.require_staff(request.auth, ONLY_STAFF)


def number_of(cursor: str) -> int:
    """Return the number in a cursor; 0 for the first page."""
    return int(cursor or 0)


def cursor_after(rows: Sequence[Model], limit: int) -> str | None:
    """Return the cursor behind a page of `limit` rows, or None when `rows` holds no further row."""
    if len(rows) <= limit:
        return None
    return str(rows[limit - 1].pk)


def changes_of(data: Any) -> dict[str, Any]:
    """Return the fields of a body that were sent; the others do not change."""
    fields: dict[str, Any] = data.model_dump(exclude_unset=True)
    return fields


def without_defaults(schema: dict[str, Any]) -> None:
    """Take the defaults out of a schema: in a PATCH a field that is left out does not change."""
    for field in schema["properties"].values():
        field.pop("default", None)
