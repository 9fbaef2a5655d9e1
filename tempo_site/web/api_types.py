"""Types of parameters, cursors and pieces of the documentation that the operations of all apps share."""

from collections.abc import Sequence
from typing import Annotated, Any

from ninja import Query
from pydantic import BeforeValidator, Field

MAX_PAGE = 200
DEFAULT_PAGE = 50
MAX_NUMBER = 2**31 - 1


def whole(value: object) -> object:
    """Return 2 for 2.0, which is a whole number too in JSON; everything else as it is, so that `"2"` is refused."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(whole)  # behind the bounds, so that the document has them
Limit = Annotated[int, Query(default=DEFAULT_PAGE, ge=1, le=MAX_PAGE)]
Cursor = Annotated[str, Query(default="", pattern=r"^\d{0,18}$")]
Number = Annotated[int, Field(strict=True, ge=0, le=MAX_NUMBER), WHOLE]


def number_of(cursor: str) -> int | None:
    """Return the number in a cursor; None for the first page."""
    return int(cursor) if cursor else None


def cursor_after(rows: Sequence[Any], limit: int, field: str = "pk") -> str | None:
    """Return the cursor behind a page of `limit` rows, or None when `rows` holds no further row."""
    if len(rows) <= limit:
        return None
    return str(getattr(rows[limit - 1], field))


def without_defaults(schema: dict[str, Any]) -> None:
    """Take the defaults out of a schema: in a PATCH a field that is left out does not change."""
    for field in schema["properties"].values():
        field.pop("default", None)


def content(*kinds: str) -> dict[str, Any]:
    """Return the documentation's entry for an answer that is not JSON."""
    return {
        "responses": {200: {"content": {kind: {"schema": {"type": "string"}} for kind in kinds}}}
    }
