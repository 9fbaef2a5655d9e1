"""The versions of one script: its tab, each as it was, two beside each other, and what came between good and bad."""

from itertools import pairwise
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from runs_app import lookup as runs_finding
from runs_app.history import regression
from scripts_app import lookup, scripts
from scripts_app.models import Script, Version
from scripts_app.versions import comparison, settings_snapshot, versions
from tempo_site import auth

PAGE = 50
LOOKS = {"unified": "One below the other", "beside": "Side by side"}
TEXT = "text/plain; charset=utf-8"


@require_safe
def script_versions(request: HttpRequest, slug: str) -> HttpResponse:
    """Newest first, 50 a page; `?before=<number>` in the address. Two can be chosen to be compared."""
    script, before = lookup.script(slug), request.GET.get("before", "")
    rows = script.versions.defer("code", "requirements")
    if before.isdecimal():
        rows = rows.filter(number__lt=int(before[:9]))
    found = list(rows[: PAGE + 1])
    context = {
        "now": timezone.now(),
        "script": script,
        "versions": found[:PAGE],
        "changed": {
            after.pk for after, before in pairwise(found) if has_other_settings(before, after)
        },
        "settings": changed_since(script),
        "older": found[PAGE - 1].number if len(found) > PAGE else None,
        "before": before,
        "point": regression.find_regression(script),
    }
    return render(request, "scripts/versions.html", context)


def has_other_settings(before: Version, after: Version) -> bool:
    """Whether the script's settings were changed between two versions, as far as both remember them."""
    return (
        bool(before.settings_hash and after.settings_hash)
        and before.settings_hash != after.settings_hash
    )


def changed_since(script: Script) -> list[settings_snapshot.SettingDifference]:
    """What was changed in the settings since the current version was saved."""
    return (
        settings_snapshot.differences(
            script.version.settings, settings_snapshot.snapshot_of(script)
        )
        if script.version
        else []
    )


@require_safe
def version_detail(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """One version: its code and requirements, to be read."""
    script = lookup.script(slug)
    version = lookup.version(script, number)
    earlier = script.versions.filter(number__lt=number).values_list("number", flat=True).first()
    context = {"now": timezone.now(), "script": script, "version": version, "earlier": earlier}
    return render(request, "scripts/version.html", context)


@require_safe
def versions_compare(request: HttpRequest, slug: str) -> HttpResponse:
    """Two versions, `?from=<number>&to=<number>`; `?look=unified|beside` is how, `?as=text` what `diff -u` writes."""
    script = lookup.script(slug)
    before, after = (
        lookup.version(script, number_of(request.GET.get(name, ""))) for name in ("from", "to")
    )
    if request.GET.get("as") == "text":
        return HttpResponse(comparison.unified(before, after), content_type=TEXT)
    context = {
        "now": timezone.now(),
        "script": script,
        "before": before,
        "after": after,
        "comparison": comparison.compare(before, after),
    }
    return render(request, "scripts/versions_compare.html", context | looks(request))


@require_safe
def last_good_to_first_bad(request: HttpRequest, slug: str) -> HttpResponse:
    """What changed between the last good run and the first bad one; `?run=<id>` names a bad run, else the newest."""
    script = lookup.script(slug)
    run = runs_finding.run(number_of(request.GET["run"])) if "run" in request.GET else None
    if run is not None and run.script_id != script.pk:
        raise Http404("This run is not one of this script.")
    point = regression.find_regression(script, bad=run)
    context: dict[str, Any] = {"now": timezone.now(), "script": script, "point": point, "run": run}
    if point:
        before, after = regression.versions(point)
        context |= {"before": before, "after": after, "comparison": regression.differences(point)}
    return render(request, "scripts/turning_point.html", context | looks(request))


@require_POST
def version_restore(request: auth.SignedInRequest, slug: str, number: int) -> HttpResponse:
    """Make a new version that says what this one said."""
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
    """Change the note of a version."""
    version = lookup.version(lookup.script(slug), number)
    try:
        versions.annotate(version, request.POST.get("note", ""))
    except scripts.ScriptError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, f"The note of {version} was saved.")
    return redirect("version-detail", slug, number)


def looks(request: HttpRequest) -> dict[str, Any]:
    """How the page shows a difference, and the other ways, each with its address."""
    chosen = request.GET.get("look", "")
    look = chosen if chosen in LOOKS else "unified"
    found = []
    for name, words in LOOKS.items():
        query = request.GET.copy()
        query["look"] = name
        found.append(
            {"name": name, "words": words, "query": query.urlencode(), "is_chosen": name == look}
        )
    return {"look": look, "looks": found}


def number_of(text: str) -> int:
    """A number out of an address. Raises Http404 where there is none: no version and no run is called so."""
    if not (text.isascii() and text.isdecimal()):
        raise Http404("Two versions are compared by their numbers, like `?from=1&to=2`.")
    return int(text[:18])
