"""The history: runs newest first, filtered in the address, as a page and as a file."""

from dataclasses import replace
from datetime import datetime
from typing import Any, TypedDict

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from runs_app.exports import runs as runs_file
from runs_app.exports import table
from runs_app.history import run_days, saved_views
from runs_app.history.run_days import RunDay
from runs_app.history.run_filters import RunFilter
from runs_app.models import SavedView
from runs_app.search import found_lines, query, run_lists, search
from runs_app.search.found_lines import FoundLine
from runs_app.search.patterns import TooSlow
from runs_app.search.run_lists import RunList
from runs_app.views.run_filter_form import Chip, FilterForm, RunsOfScriptForm, query_without
from scripts_app import lookup
from tempo_site import auth

PAGE = 50
TEXT = "text/plain; charset=utf-8"
EXPORT_SEARCH_S = 10.0
TROUBLES = (query.QueryError, search.Busy, TooSlow)


class RunListContext(TypedDict):
    """`found` holds by run the line with the text, `searched` how far a search has come, `file_query` the filters of
    the list as a file.
    """

    now: datetime
    form: RunsOfScriptForm
    chips: list[Chip]
    complaints: list[str]
    days: list[RunDay]
    found: dict[int, FoundLine]
    searched: str
    notes: list[str]
    older: str
    before: str
    query: str
    file_query: str
    is_filtered: bool


class RunListPageContext(RunListContext):
    views: list[SavedView]


class ScriptRunsContext(RunListContext):
    script: Any  # a script with the facts that the head of its pages shows


@require_safe
def run_list(request: auth.SignedInRequest) -> HttpResponse:
    """The list; `?part=rows` is what changes on an open page."""
    shown = run_list_context(FilterForm(request.GET), request.GET, now=timezone.now())
    if request.GET.get("part") == "rows":
        return render(request, "runs/_list.html", shown)
    context: RunListPageContext = {**shown, "views": list(saved_views.views_of(request.user))}
    return render(request, "runs/list.html", context)


@require_safe
def script_runs(request: HttpRequest, slug: str) -> HttpResponse:
    """The tab of a script with its runs."""
    now = timezone.now()
    script = lookup.script_for_page(slug, now=now)
    form = RunsOfScriptForm(request.GET)
    shown = run_list_context(form, request.GET, now=now, script=script.slug)
    context: ScriptRunsContext = {**shown, "script": script}
    return render(request, "scripts/runs.html", context)


@require_safe
def run_export(request: HttpRequest, suffix: str) -> HttpResponse:
    """The newest runs of a filtered list as a file, at most 10,000; its name says what it does not hold."""
    form = FilterForm(request.GET)
    if not form.is_valid():
        return HttpResponse(" ".join(form.complaints(request.GET)), status=400, content_type=TEXT)
    chosen = form.run_filter(now=timezone.now())
    before = form.cleaned_data["before"]
    try:
        shown = run_lists.page(
            chosen, before=before, limit=table.MAX_ROWS, budget_s=EXPORT_SEARCH_S
        )
    except TROUBLES as trouble:
        return HttpResponse(str(trouble), status=400, content_type=TEXT)
    return table.response(runs_file.table_of_runs(shown.runs, next_cursor=shown.older), suffix)


def run_list_context(
    form: RunsOfScriptForm, asked: QueryDict, *, now: datetime, script: str = ""
) -> RunListContext:
    """Return what a list shows of the runs that a form chooses, or of those of one script."""
    form.is_valid()  # a filter that cannot be read filters nothing, and is named above the rows
    before = form.cleaned_data.get("before", "")
    chosen = form.run_filter(now=now)
    query = file_query = query_without(asked, "before")
    if script:
        chosen = replace(chosen, script=script)
        file_query = f"{query_without(asked, 'before', 'script')}&script={script}".removeprefix("&")
    shown, trouble = _page_of(chosen, before=before)
    notes = [found_lines.rebuilding(shown.results), found_lines.passed_over(shown.results)]
    return {
        "now": now,
        "form": form,
        "chips": form.chips(asked),
        "complaints": [*form.complaints(asked), *trouble],
        "days": run_days.by_day(shown.runs, now=now),
        "found": shown.lines,
        "searched": found_lines.searched(shown.results),
        "notes": list(filter(None, notes)),
        "older": shown.older,
        "before": before,
        "query": query,
        "file_query": file_query,
        "is_filtered": bool(form.chosen),
    }


def _page_of(chosen: RunFilter, *, before: str) -> tuple[RunList, list[str]]:
    try:
        return run_lists.page(chosen, before=before, limit=PAGE), []
    except TROUBLES as trouble:
        return RunList(runs=[]), [str(trouble)]


@require_POST
def view_save(request: auth.SignedInRequest) -> HttpResponse:
    """Keep the filters of an address under a name; what the list does not know is left out of them."""
    asked = QueryDict(request.POST.get("query", "").removeprefix("?"))
    form = FilterForm(asked)
    form.is_valid()
    known = {form.add_prefix(name) for name in form.chosen}
    kept = query_without(asked, *set(asked).difference(known))
    try:
        view = saved_views.save(request.user, name=request.POST.get("name", ""), query=kept)
    except saved_views.ViewRefused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, f"Saved the view `{view.name}`.")
    return _to_list(kept)


@require_POST
def view_delete(request: auth.SignedInRequest, pk: int) -> HttpResponse:
    saved_views.delete(request.user, pk)
    return redirect("run-list")


def _to_list(asked: str) -> HttpResponse:
    address = reverse("run-list")
    return redirect(f"{address}?{asked}" if asked else address)
