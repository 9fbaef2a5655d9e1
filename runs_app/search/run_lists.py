"""Lists of runs by every filter, page by page. A text is looked for in the output; what was not searched is said."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from runs_app.history import history, run_filters, run_rows
from runs_app.history.run_filters import Row, RunFilter, Scan
from runs_app.history.run_rows import RunRow
from runs_app.models import Run, RunQuerySet
from runs_app.search import candidate_runs, found_lines, query, search
from runs_app.search.found_lines import FoundLine
from runs_app.search.query import Query, QueryError
from runs_app.search.search import Results, SearchCursor

CURSOR = r"\d{1,18}(\.\d{1,15})?"


@dataclass(frozen=True, kw_only=True)
class RunList:
    """A page of a list. `older` is the cursor of the next one, "" behind the last; with a text `lines` holds the last
    line of each run that has it, and `results` how far the search has come.
    """

    runs: list[Run]
    older: str = ""
    lines: dict[int, FoundLine] = field(default_factory=dict)
    results: Results = field(default_factory=Results)


@dataclass(frozen=True, kw_only=True)
class RowList:
    """A page of a list as plain values; `searched_back_to` only where the time was over."""

    rows: list[RunRow]
    older: str
    searched_back_to: datetime | None


def page(
    chosen: RunFilter, *, before: str = "", limit: int, budget_s: float | None = None
) -> RunList:
    """Return runs newest first, below the cursor `before`; how far it came where the time was over. Raises QueryError,
    Busy and TooSlow for a text, Http404 for a script or a folder that is not there.
    """
    found = _page(chosen, before=before, limit=limit, budget_s=budget_s)
    if not found.runs:
        chosen.require_known()
    return found


def _page(chosen: RunFilter, *, before: str, limit: int, budget_s: float | None) -> RunList:
    if chosen.text:
        return _page_by_text(chosen, before=before, limit=limit, budget_s=budget_s)
    scan_s = run_filters.SCAN_S if budget_s is None else budget_s
    scan = _scan(chosen, history.loaded, before, limit, scan_s)
    below = scan.goes_on_below
    next_cursor = SearchCursor(below) if below is not None else None
    results = Results(next_cursor=next_cursor, searched_back_to=_searched_back_to(scan))
    return RunList(runs=scan.rows[:limit], older=_older(scan, limit), results=results)


def rows(chosen: RunFilter, *, before: str = "", limit: int) -> RowList:
    """Do as `page` for a list without a text."""
    scan = _scan(chosen, run_rows.rows, before, limit, run_filters.SCAN_S)
    if not scan.rows:
        chosen.require_known()
    return RowList(
        rows=scan.rows[:limit],
        older=_older(scan, limit),
        searched_back_to=_searched_back_to(scan),
    )


def _scan(
    chosen: RunFilter,
    load: Callable[[RunQuerySet], list[Row]],
    before: str,
    limit: int,
    budget_s: float,
) -> Scan[Row]:
    # One more than the page has: it tells whether there is another page.
    start = _cursor(before)
    return chosen.scan(
        load, before=start.run if start else None, limit=limit + 1, budget_s=budget_s
    )


def _older(scan: Scan[Any], limit: int) -> str:
    if scan.goes_on_below is not None:
        return str(scan.goes_on_below)
    return str(scan.rows[limit - 1].pk) if len(scan.rows) > limit else ""


def _searched_back_to(scan: Scan[Any]) -> datetime | None:
    below = scan.goes_on_below
    return candidate_runs.created_at(below) if below is not None else None


def parse_text(text: str) -> Query:
    """Read the text of a filter. Raises QueryError."""
    asked = query.parse(text)
    if text.strip() and asked.is_empty:
        raise QueryError("A search needs a word, a phrase or `re:...`.")
    return asked


def _page_by_text(chosen: RunFilter, *, before: str, limit: int, budget_s: float | None) -> RunList:
    asked = replace(parse_text(chosen.text), kind=chosen.kind)

    def find_chosen(ids: Sequence[int]) -> list[int]:
        return chosen.ids(among=ids)

    results = search.search(
        asked, cursor=_cursor(before), limit=limit, budget_s=budget_s, choose=find_chosen
    )
    return RunList(
        runs=[hit.run for hit in results.hits],
        older=str(results.next_cursor or ""),
        lines={hit.run.pk: found_lines.found_line(hit, asked) for hit in results.hits},
        results=results,
    )


def _cursor(text: str) -> SearchCursor | None:
    if not re.fullmatch(CURSOR, text):
        return None
    run, _, row = text.partition(".")
    return SearchCursor(int(run), int(row or 1))
