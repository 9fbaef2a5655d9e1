"""The versions of a script: the tab, a version as it was, comparisons, and the change between good and bad runs."""

from datetime import datetime
from itertools import pairwise
from typing import Any, TypedDict

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from runs_app import lookup as runs_lookup
from runs_app.history import regression
from runs_app.history.regression import Regression
from scripts_app import lookup, scripts
from scripts_app.models import Script, Version
from scripts_app.versions import comparison, settings_snapshot, versions
from scripts_app.versions.settings_snapshot import SettingDifference
from scripts_app.views.query_string import mark_of_older, number_in
from tempo_site import auth

PAGE = 50
LOOKS = {"unified": "One below the other", "beside": "Side by side"}
TEXT = "text/plain; charset=utf-8"


class VersionsContext(TypedDict):
    now: datetime
    script: Script
    versions: list[Version]
    changed: set[int]
    settings: list[SettingDifference]
    older: int | None
    before: str
    point: Regression | None


class LookContext(TypedDict):
    look: str
    looks: list[dict[str, Any]]


class CodeContext(TypedDict):
    before: str
    line: str
    number: int
    after: str


@require_safe
def script_versions(request: HttpRequest, slug: str) -> HttpResponse:
    now = timezone.now()
    script = lookup.script_for_page(slug, now=now)
    context = versions_context(script, before=request.GET.get("before", ""), now=now)
    return render(request, "scripts/versions.html", context)


def versions_context(script: Script, *, before: str, now: datetime) -> VersionsContext:
    rows = script.versions.defer("code", "requirements")
    if before.isdecimal():
        rows = rows.filter(number__lt=int(before[:9]))
    found = list(rows[: PAGE + 1])
    changed = set()
    for newer, older in pairwise(found):
        if settings_snapshot.has_other_settings(older, newer):
            changed.add(newer.pk)
    return {
        "now": now,
        "script": script,
        "versions": found[:PAGE],
        "changed": changed,
        "settings": settings_snapshot.changed_since_version(script),
        "older": mark_of_older(found, PAGE, "number"),
        "before": before,
        "point": regression.find_regression(script),
    }


@require_safe
def version_detail(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    now = timezone.now()
    script = lookup.script_for_page(slug, now=now)
    version = lookup.version(script, number)
    earlier = script.versions.filter(number__lt=number).values_list("number", flat=True).first()
    context = {
        "now": now,
        "script": script,
        "version": version,
        "earlier": earlier,
        "code": code_around(version.code, number_in(request.GET, "line")),
    }
    return render(request, "scripts/version.html", context)


def code_around(code: str, number: int) -> CodeContext:
    """Return a code in three parts, so that a page can mark a line; without that line all of it is before."""
    lines = code.split("\n")
    if not 1 <= number <= len(lines):
        return {"before": code, "line": "", "number": 0, "after": ""}
    before = "".join(f"{line}\n" for line in lines[: number - 1])
    after = "".join(f"\n{line}" for line in lines[number:])
    return {"before": before, "line": lines[number - 1], "number": number, "after": after}


@require_safe
def versions_compare(request: HttpRequest, slug: str) -> HttpResponse:
    now = timezone.now()
    script = lookup.script_for_page(slug, now=now)
    before = lookup.version(script, number_of(request.GET.get("from", "")))
    after = lookup.version(script, number_of(request.GET.get("to", "")))
    if request.GET.get("as") == "text":
        return HttpResponse(comparison.unified(before, after), content_type=TEXT)
    context = {
        "now": now,
        "script": script,
        "before": before,
        "after": after,
        "comparison": comparison.compare(before, after),
        **look_context(request),
    }
    return render(request, "scripts/versions_compare.html", context)


@require_safe
def last_good_to_first_bad(request: HttpRequest, slug: str) -> HttpResponse:
    now = timezone.now()
    script = lookup.script_for_page(slug, now=now)
    run = None
    if "run" in request.GET:
        run = runs_lookup.run(number_of(request.GET["run"]))
        if run.script_id != script.pk:
            raise Http404("This run is not one of this script.")
    point = regression.find_regression(script, bad=run)
    context: dict[str, Any] = {"now": now, "script": script, "point": point, "run": run}
    if point:
        before, after = regression.versions(point)
        context |= {"before": before, "after": after, "comparison": regression.differences(point)}
    return render(request, "scripts/turning_point.html", {**context, **look_context(request)})


@require_POST
def version_restore(request: auth.SignedInRequest, slug: str, number: int) -> HttpResponse:
    script = lookup.script(slug)
    version, current = lookup.version(script, number), script.version
    try:
        restored = scripts.restore_version(script, version, by=request.user, now=timezone.now())
    except scripts.ScriptError as refusal:
        messages.error(request, f"{version} was not restored. {refusal}")
        return redirect("version-detail", slug, number)
    if restored == current:
        messages.info(request, f"{restored}, which is current, says the same as {version}.")
    else:
        messages.success(request, f"{version} is back, as {restored}.")
    return redirect("script-versions", slug)


@require_POST
def version_note(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    version = lookup.version(lookup.script(slug), number)
    try:
        versions.annotate(version, request.POST.get("note", ""))
    except scripts.ScriptError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, f"The note of {version} was saved.")
    return redirect("version-detail", slug, number)


def look_context(request: HttpRequest) -> LookContext:
    look = request.GET.get("look", "")
    if look not in LOOKS:
        look = "unified"
    looks = []
    for name, words in LOOKS.items():
        query = request.GET.copy()
        query["look"] = name
        is_chosen = name == look
        looks.append(
            {"name": name, "words": words, "query": query.urlencode(), "is_chosen": is_chosen}
        )
    return {"look": look, "looks": looks}


def number_of(text: str) -> int:
    """Return a number out of an address. Raises Http404 for a text that is no number of a version or run."""
    if not (text.isascii() and text.isdecimal()):
        raise Http404("Two versions are compared by their numbers, like `?from=1&to=2`.")
    return int(text[:18])
