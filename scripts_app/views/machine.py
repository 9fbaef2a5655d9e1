"""Environments with their sizes and the Pythons of this machine, for all scripts; acts on both for the staff."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict

from django.contrib import messages
from django.core.paginator import Page, Paginator
from django.db.models import Case, IntegerField, Q, Value, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from runs_app.models import Run
from runs_app.triggers import builds
from scripts_app import bulk, forms, lookup, pythons
from scripts_app.environments import disk_usage, environments
from scripts_app.environments.disk_usage import DiskUsage
from scripts_app.models import Environment, Script
from scripts_app.packages import interpreters
from scripts_app.pythons import Python
from scripts_app.validation import ScriptError
from tempo_site import auth

PAGE = 100
MAX_INSTALLATIONS = 3
MAX_NAMED = 3  # scripts and requirements of an environment told one by one; the rest is a number
MINORS = [f"3.{minor}" for minor in range(interpreters.NEWEST[1], interpreters.OLDEST[1] - 1, -1)]


@dataclass(frozen=True, kw_only=True)
class EnvironmentRow:
    """An environment in the list; `own` is how many bytes a removal would free, None before the first measure."""

    environment: Environment
    requirements: list[str]
    more_requirements: int
    scripts: list[Script]
    more_scripts: int
    own: int | None

    @property
    def trouble(self) -> str:
        return self.environment.fault or self.environment.message


class EnvironmentListContext(TypedDict):
    now: datetime
    page: "Page[Any]"
    rows: list[EnvironmentRow]
    measured: DiskUsage | None
    pythons: list[Python]
    targets: list[tuple[str, str]]
    minors: list[str]
    installations: list[Run]


@require_safe
def environment_list(request: HttpRequest) -> HttpResponse:
    context = environment_list_context(request.GET.get("page", ""), now=timezone.now())
    return render(request, "environments/list.html", context)


def environment_list_context(number: str, *, now: datetime) -> EnvironmentListContext:
    rank = Case(
        When(state=Environment.State.READY, fault="", then=1),
        When(state=Environment.State.STORED, then=2),
        default=Value(0),
        output_field=IntegerField(),
    )
    rows = Environment.objects.annotate(rank=rank).defer("lock").order_by("rank", "-pk")
    page = Paginator(rows, PAGE).get_page(number)
    measured = disk_usage.read()
    found = pythons.listing()
    return {
        "now": now,
        "page": page,
        "rows": environment_rows(page, measured),
        "measured": measured,
        "pythons": found,
        "targets": forms.python_choices(""),
        "minors": MINORS,
        "installations": builds.installations(limit=MAX_INSTALLATIONS),
    }


def environment_rows(page: "Page[Any]", measured: DiskUsage | None) -> list[EnvironmentRow]:
    scripts_of = scripts_by_environment([row.pk for row in page])
    sizes = measured.environments if measured else {}
    rows = []
    for environment in page:
        scripts = scripts_of.get(environment.pk, [])
        lines = environment.requirement_lines
        size = sizes.get(environment.digest)
        row = EnvironmentRow(
            environment=environment,
            requirements=lines[:MAX_NAMED],
            more_requirements=max(0, len(lines) - MAX_NAMED),
            scripts=scripts[:MAX_NAMED],
            more_scripts=max(0, len(scripts) - MAX_NAMED),
            own=size["own"] if size else None,
        )
        rows.append(row)
    return rows


def scripts_by_environment(environment_ids: list[int]) -> dict[int, list[Script]]:
    uses = Q(environment__in=environment_ids)
    wants = Q(wanted_environment__in=environment_ids)
    rows = Script.objects.present().filter(uses | wants)
    found: dict[int, list[Script]] = {}
    for script in rows.only("name", "slug", "environment_id", "wanted_environment_id"):
        for environment_id in {script.environment_id, script.wanted_environment_id}:
            found.setdefault(environment_id or 0, []).append(script)
    return found


@require_POST
def environment_rebuild(request: auth.SignedInRequest, pk: int) -> HttpResponse:
    auth.require_staff(request.user)
    environments.renew(lookup.environment(pk))
    messages.success(request, "It is built again from its lock.")
    return redirect("environment-list")


@require_POST
def python_install(request: auth.SignedInRequest) -> HttpResponse:
    auth.require_staff(request.user)
    version = request.POST.get("version", "")
    try:
        run = builds.install_python(version, by=request.user.get_username(), now=timezone.now())
    except ScriptError as refusal:
        messages.error(request, str(refusal))
        return redirect("environment-list")
    return redirect("run-detail", run.pk)


@require_POST
def python_move(request: auth.SignedInRequest) -> HttpResponse:
    auth.require_staff(request.user)
    source, target = request.POST.get("from", ""), request.POST.get("to", "")
    try:
        outcome = pythons.move(source=source, target=target, by=request.user, now=timezone.now())
    except ScriptError as refusal:
        messages.error(request, str(refusal))
        return redirect("environment-list")
    moved = bulk.count_of_scripts(len(outcome.done))
    bulk.report(request, outcome, done=f"{moved} moved. Their environments are built now.")
    return redirect("environment-list")
