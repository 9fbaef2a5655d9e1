"""The router of the operations on scripts and schedules, types of parameters, cursors and revisions."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query, Router
from ninja.errors import HttpError
from pydantic import AfterValidator, AwareDatetime, Field

from scripts_app.timing import rule

router = Router()

MAX_PAGE = 200
DEFAULT_PAGE = 50
MAX_NUMBER = 2**31 - 1
IF_MATCH = {
    "parameters": [
        {
            "in": "header",
            "name": "If-Match",
            "schema": {"type": "string"},
            "description": "The revision in quotes.",
        }
    ]
}


def plausible(moment: datetime) -> datetime:
    # In other years arithmetic with time zones and a hundred intervals would leave the calendar.
    if moment.year not in rule.YEARS:
        raise ValueError(
            f"the year {moment.year} is not between {rule.YEARS[0]} and {rule.YEARS[-1]}"
        )
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(plausible)]
Number = Annotated[int, Field(strict=True, ge=0, le=MAX_NUMBER)]
Limit = Annotated[int, Query(default=DEFAULT_PAGE, ge=1, le=MAX_PAGE)]
Cursor = Annotated[str, Query(default="", pattern=r"^\d{0,18}$")]


def without_defaults(schema: dict[str, Any]) -> None:
    """Take the defaults out of a schema: in a PATCH a field that is left out does not change."""
    for field in schema["properties"].values():
        field.pop("default", None)


def number_of(cursor: str) -> int | None:
    """Return the number in a cursor; None for the first page."""
    return int(cursor) if cursor else None


def cursor_after(rows: Sequence[Any], limit: int, field: str = "pk") -> str | None:
    """Return the cursor behind a page of `limit` rows, or None when `rows` holds no further row."""
    if len(rows) <= limit:
        return None
    return str(getattr(rows[limit - 1], field))


def based_on(request: HttpRequest) -> int | None:
    """Return the revision of the header `If-Match`; None without the header. Raises HttpError."""
    header = request.headers.get("If-Match")
    if header is None:
        return None
    revision = re.fullmatch(r'(?:W/)?"([0-9]{1,9})"', header.strip())
    if revision is None:
        raise HttpError(
            400,
            'The header `If-Match` could not be read.\nhint: send the revision in quotes, `"12"`',
        )
    return int(revision[1])
