"""The page of the search over the output of all runs."""

from datetime import datetime
from typing import TypedDict
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from runs_app.exports import lists, table
from runs_app.search import found_lines, query, search
from runs_app.search.found_lines import FoundRun
from runs_app.search.patterns import TooSlow
from runs_app.search.search import Results

EXPORT_BUDGET_S = 8.0
TROUBLES = (query.QueryError, TooSlow, search.Busy, Http404)
EXAMPLES = [
    ("timeout", "The letters anywhere in a line, whatever the case"),
    ('"connection refused"', "A phrase"),
    ("timeout -retry", "Both words, or without one of them"),
    ("script:nightly-backup error", "Of one script; also `folder:`, `status:`, `stream:`, `kind:`"),
    ("error after:2026-11-01", "Since a day; also `before:`"),
    ("re:E\\d{4}", "A regular expression"),
]


class SearchContext(TypedDict):
    now: datetime
    text: str
    query: str
    complaint: str
    results: Results | None
    found: list[FoundRun]
    searched: str
    rebuilding: str
    is_continued: bool
    examples: list[tuple[str, str]]


@require_safe
def search_page(request: HttpRequest) -> HttpResponse:
    text = request.GET.get("q", "").strip()
    script = request.GET.get("script", "")
    if script:  # from the page of a script or of a run
        text = f"script:{script} {text}"
    context = search_context(text, cursor=request.GET.get("cursor", ""), now=timezone.now())
    return render(request, "runs/search.html", context)


@require_safe
def search_export(request: HttpRequest, suffix: str) -> HttpResponse:
    """Found lines as a file, at most 10,000 and as far as some seconds go; the last row says how far that was."""
    try:
        asked = query.parse(request.GET.get("q", "").strip())
        results = search.search(asked, limit=table.MAX_ROWS, budget_s=EXPORT_BUDGET_S)
    except TROUBLES as problem:
        return HttpResponse(str(problem), status=400, content_type="text/plain; charset=utf-8")
    return table.response(lists.table_of_found_lines(results, asked), suffix)


def search_context(text: str, *, cursor: str, now: datetime) -> SearchContext:
    context: SearchContext = {
        "now": now,
        "text": text,
        "query": urlencode({"q": text}),
        "complaint": "",
        "results": None,
        "found": [],
        "searched": "",
        "rebuilding": "",
        "is_continued": bool(cursor),
        "examples": EXAMPLES,
    }
    if not text:
        return context
    try:
        asked = query.parse(text)
        if asked.is_empty:
            return context
        results = search.search(asked, cursor=search.parse_cursor(cursor))
    except TROUBLES as problem:
        context["complaint"] = str(problem)
        return context
    context["results"] = results
    context["found"] = found_lines.by_run(results.hits, asked)
    how_far = found_lines.searched(results) or "All output was searched."
    context["searched"] = f"{how_far} {found_lines.passed_over(results)}".strip()
    context["rebuilding"] = found_lines.rebuilding(results)
    return context
