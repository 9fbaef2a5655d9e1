"""REST: the search over the output of all runs."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated

from ninja import Query
from ninja.errors import HttpError
from pydantic import BaseModel

from runs_app.api.common import router
from runs_app.search import found_lines, query, search
from runs_app.search.patterns import TooSlow
from scripts_app import reach
from tempo_site import auth
from tempo_site.web.api_types import Limit

SearchCursor = Annotated[str, Query(default="", pattern=r"^(\d{1,15}\.\d{1,15})?$")]
From = Annotated[str, Query(default="", alias="from")]


class FoundLineOut(BaseModel):
    """A line that was found; `before` and `after` are the lines around it. Long lines are cut, which `…` says."""

    run: int
    script: str | None
    line: int
    at: datetime
    stream: str
    text: str
    before: list[str]
    after: list[str]


class FoundPage(BaseModel):
    """Found lines, the newest run first. `searched_back_to` is when the last run that was searched was started, null
    when all were searched: then the search is `complete`. `indexed_percent` below 100: the index is being rebuilt.
    """

    items: list[FoundLineOut]
    next_cursor: str | None
    searched_back_to: datetime | None
    complete: bool
    searched_bytes: int
    indexed_percent: int
    passed_over: str


@router.get("/search", response=FoundPage, tags=["search"])
@auth.filters_by_limits
def search_output(
    request: auth.AuthenticatedRequest,
    limit: Limit,
    cursor: SearchCursor,
    from_: From,
    q: str = "",
    script: str = "",
    folder: str = "",
    status: str = "",
    to: str = "",
    stream: str = "",
) -> FoundPage:
    """Search the output of all runs: `words` and `"a phrase"` anywhere in a line, whatever the case, `-not`, `re:...`,
    `script:`, `folder:`, `status:`, `stream:`, `kind:`, `after:2026-11-01`, `before:`. A page takes about two seconds
    at most; where that was not enough, `next_cursor` goes on.
    """
    try:
        asked = query.parse(q)
        filters = {"script": script, "folder": folder, "status": status, "stream": stream}
        asked = query.with_filters(asked, after=from_, to=to, **filters)
        asked = replace(asked, among=reach.within(request.auth.limits, "script"))
        results = search.search(asked, cursor=search.parse_cursor(cursor), limit=limit)
    except (query.QueryError, TooSlow) as problem:
        raise HttpError(422, str(problem)) from problem
    except search.Busy as problem:
        raise HttpError(503, str(problem)) from problem
    return found_page(results, asked)


def found_page(results: search.Results, asked: query.Query) -> FoundPage:
    next_cursor = str(results.next_cursor) if results.next_cursor else None
    items = [
        FoundLineOut.model_construct(**found_lines.as_json(hit, asked)) for hit in results.hits
    ]
    return FoundPage.model_construct(
        items=items,
        next_cursor=next_cursor,
        searched_back_to=results.searched_back_to,
        complete=results.is_complete,
        searched_bytes=results.read_bytes,
        indexed_percent=results.percent,
        passed_over=found_lines.passed_over(results),
    )
