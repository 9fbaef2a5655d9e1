"""What the operations on runs share: the router, and the pages of a list."""

from typing import Annotated, Any

from ninja import Query, Router

from runs_app.search import run_lists

router = Router(tags=["runs"])

MAX_PAGE = 200
DEFAULT_PAGE = 50

Limit = Annotated[int, Query(default=DEFAULT_PAGE, ge=1, le=MAX_PAGE)]
Cursor = Annotated[str, Query(default="", pattern=r"^\d{0,18}$")]
RunCursor = Annotated[str, Query(default="", pattern=rf"^({run_lists.CURSOR})?$")]


def content(kind: str) -> dict[str, Any]:
    """Return the documentation's entry for an answer that is not JSON."""
    return {"responses": {200: {"content": {kind: {"schema": {"type": "string"}}}}}}


def id_of(cursor: str) -> int | None:
    return int(cursor) if cursor else None


def cursor_of(last: int | None) -> str | None:
    return None if last is None else str(last)
