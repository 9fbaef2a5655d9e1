"""The versions of one script: its tab, and each as it was."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from scripts_app import finding
from scripts_app.models import Version

PAGE = 50


@require_safe
def script_versions(request: HttpRequest, slug: str) -> HttpResponse:
    """Newest first, 50 a page; `?before=<number>` in the address."""
    script, before = finding.script(slug), request.GET.get("before", "")
    rows = script.versions.defer("code", "requirements")
    if before.isdecimal():
        rows = rows.filter(number__lt=int(before[:9]))
    found = list(rows[: PAGE + 1])
    context = {
        "now": timezone.now(),
        "script": script,
        "versions": found[:PAGE],
        "older": found[PAGE - 1].number if len(found) > PAGE else None,
        "before": before,
    }
    return render(request, "scripts/versions.html", context)


@require_safe
def version_detail(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """One version: its code and requirements, to be read."""
    script = finding.script(slug)
    version = _version(script.pk, number)
    context = {"now": timezone.now(), "script": script, "version": version}
    return render(request, "scripts/version.html", context)


def _version(script_id: int, number: int) -> Version:
    rows = Version.objects.filter(script_id=script_id)
    found = rows.filter(number=number).first() if number < 2**31 else None
    if found is None:
        raise Http404(f"There is no version {str(number)[:20]} of this script.")
    return found
