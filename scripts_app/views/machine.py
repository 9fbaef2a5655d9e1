"""What all scripts share on this machine: environments and their sizes, Pythons; what the staff may do about them."""

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Page, Paginator
from django.db.models import Case, IntegerField, Q, Value, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from runs_app.triggers import builds
from scripts_app import forms, lookup, pythons
from scripts_app.environments import disk_usage, environments
from scripts_app.models import Environment, Script
from scripts_app.packages import interpreters
from scripts_app.pythons import Moved
from scripts_app.validation import ScriptError
from tempo_site import auth

PAGE = 100
INSTALLATIONS = 3
NAMED = 3  # scripts of an environment, and refusals, told one by one; the rest is a number
MINORS = [f"3.{minor}" for minor in range(interpreters.NEWEST[1], interpreters.OLDEST[1] - 1, -1)]


@require_safe
def environment_list(request: HttpRequest) -> HttpResponse:
    """Environments with their sizes and health, broken ones first; the Pythons; both with what may be done."""
    return render(
        request,
        "environments/list.html",
        environment_list_context(request.GET.get("page", ""), now=timezone.now()),
    )


def environment_list_context(number: str, *, now: datetime) -> dict[str, Any]:
    """What the page shows."""
    quiet = (
        When(state=Environment.State.READY, fault="", then=1),
        When(state=Environment.State.STORED, then=2),
    )
    rows = Environment.objects.annotate(
        rank=Case(*quiet, default=Value(0), output_field=IntegerField())
    )
    page = Paginator(rows.defer("lock").order_by("rank", "-pk"), PAGE).get_page(number)
    measured = disk_usage.read()
    found = pythons.listing()
    return {
        "now": now,
        "page": page,
        "rows": rows_of(page, measured),
        "measured": measured,
        "pythons": found,
        "targets": forms.python_choices(""),
        "minors": MINORS,
        "installations": builds.installations(limit=INSTALLATIONS),
    }


def rows_of(page: "Page[Any]", measured: disk_usage.DiskUsage | None) -> list[dict[str, Any]]:
    """Each environment of a page with its scripts and what removing it would free, with one query for all."""
    scripts_of: dict[int, list[Script]] = {}
    shown = [row.pk for row in page]
    users = Script.objects.present().filter(
        Q(environment__in=shown) | Q(wanted_environment__in=shown)
    )
    for script in users.only("name", "slug", "environment_id", "wanted_environment_id"):
        for used in {script.environment_id, script.wanted_environment_id}:
            scripts_of.setdefault(used or 0, []).append(script)
    sizes = measured.environments if measured else {}
    return [
        {
            "environment": row,
            "requirements": [line for line in row.requirements.splitlines() if line][:NAMED],
            "more_requirements": max(0, len(row.requirements.splitlines()) - NAMED),
            "scripts": scripts_of.get(row.pk, [])[:NAMED],
            "more_scripts": max(0, len(scripts_of.get(row.pk, [])) - NAMED),
            "own": sizes[row.digest]["own"] if row.digest in sizes else None,
        }
        for row in page
    ]


@require_POST
def environment_rebuild(request: auth.SignedInRequest, pk: int) -> HttpResponse:
    """Have an environment built anew with the packages of its lock."""
    check_staff(request)
    environments.renew(lookup.environment(pk))
    messages.success(request, "It is built again from its lock.")
    return redirect("environment-list")


@require_POST
def python_install(request: auth.SignedInRequest) -> HttpResponse:
    """Install another Python from the internet; goes to the run that does it."""
    check_staff(request)
    try:
        run = builds.install_python(
            request.POST.get("version", ""), by=request.user.get_username(), now=timezone.now()
        )
    except ScriptError as refusal:
        messages.error(request, str(refusal))
        return redirect("environment-list")
    return redirect("run-detail", run.pk)


@require_POST
def python_move(request: auth.SignedInRequest) -> HttpResponse:
    """Have all scripts of one Python (`from`, its path) use another one (`to`)."""
    check_staff(request)
    source, target = request.POST.get("from", ""), request.POST.get("to", "")
    try:
        report_moved(
            request, pythons.move(source=source, target=target, by=request.user, now=timezone.now())
        )
    except ScriptError as refusal:
        messages.error(request, str(refusal))
    return redirect("environment-list")


def report_moved(request: HttpRequest, moved: Moved) -> None:
    """Say how many were moved, and which were not."""
    if count := len(moved.scripts):
        messages.success(
            request,
            f"{count} script{'' if count == 1 else 's'} moved. Their environments are built now.",
        )
    for script, why in moved.refused[:NAMED]:
        messages.error(request, f"`{script.name}`: {why}")
    if len(moved.refused) > NAMED:
        messages.error(request, f"{len(moved.refused) - NAMED} more were refused.")


def check_staff(request: auth.SignedInRequest) -> None:
    """What all scripts share is changed by the staff alone. Raises PermissionDenied."""
    if not request.user.is_staff:
        raise PermissionDenied("Only staff may do that.")
