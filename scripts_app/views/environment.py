"""The environment of a script: the progress of the build, packages, newer packages to look at before use."""

from collections.abc import Callable
from datetime import datetime
from typing import TypedDict

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from runs_app.models import Run
from runs_app.triggers import builds
from scripts_app import lookup
from scripts_app.environments import environments, upgrades
from scripts_app.environments.builds import BuildProgress
from scripts_app.models import Environment, Script
from scripts_app.packages import locks, resolution
from scripts_app.packages.locks import Change, Package
from scripts_app.versions import drafts, versions
from scripts_app.versions.drafts import Conflict
from tempo_site import auth


class BuildContext(TypedDict):
    build_run: Run | None
    progress: BuildProgress | None


class EnvironmentPageContext(BuildContext):
    now: datetime
    script: Script
    environment: Environment | None
    packages: list[Package]
    is_older_in_use: bool
    follows_code: bool
    upgrade: Environment | None
    changes: list[Change]
    upgrade_build: BuildContext


@require_safe
def script_environment(request: HttpRequest, slug: str) -> HttpResponse:
    now = timezone.now()
    script = lookup.script_for_page(slug, now=now)
    template = "scripts/environment.html"
    if request.GET.get("part") == "environment":
        template = "scripts/_environment_parts.html"
    return render(request, template, environment_page_context(script, now=now))


def environment_page_context(script: Script, *, now: datetime) -> EnvironmentPageContext:
    rows = Script.objects.select_related("wanted_environment", "environment", "upgrade")
    stored = rows.get(pk=script.pk)
    environment = stored.wanted_environment or stored.environment
    return {
        "now": now,
        "script": script,
        "environment": environment,
        "packages": packages_of(environment),
        "is_older_in_use": stored.environment_id not in (None, stored.wanted_environment_id),
        "follows_code": follows_code(script),
        "upgrade": stored.upgrade,
        "changes": upgrades.changes_of(stored),
        **build_context(environment),
        "upgrade_build": build_context(stored.upgrade),
    }


def packages_of(environment: Environment | None) -> list[Package]:
    if environment is None:
        return []
    return locks.packages(environment.lock)


def follows_code(script: Script) -> bool:
    if script.version is None:
        return False
    offer = resolution.offer(**versions.fields_of(script.version))
    return bool(offer) and not offer.is_overruled


def build_context(environment: Environment | None) -> BuildContext:
    run = builds.run_of(environment)
    return {"build_run": run, "progress": builds.progress_of(run)}


@require_POST
def script_rebuild(request: HttpRequest, slug: str) -> HttpResponse:
    return act(request, slug, environments.rebuild, "The environment of `{}` is asked for.")


@require_POST
def script_upgrade(request: HttpRequest, slug: str) -> HttpResponse:
    done = "Newer packages for `{}` are looked for. They are used when you say so."
    return act(request, slug, upgrades.request, done)


@require_POST
def script_upgrade_use(request: HttpRequest, slug: str) -> HttpResponse:
    return act(request, slug, upgrades.use, "Runs of `{}` use the newer packages from now on.")


@require_POST
def script_upgrade_discard(request: HttpRequest, slug: str) -> HttpResponse:
    return act(request, slug, upgrades.discard, "`{}` keeps the packages it has.")


def act(
    request: HttpRequest, slug: str, verb: Callable[[Script], object], done: str
) -> HttpResponse:
    script = lookup.script(slug)
    try:
        verb(script)
    except ValueError as refusal:  # a Python that is gone, a requirement refused by now, no upgrade
        messages.error(request, str(refusal))
    else:
        messages.success(request, done.format(script.name))
    if request.POST.get("tab") == "code":
        return redirect("script-edit", slug)
    return redirect("script-environment", slug)


@require_POST
def script_take_over(request: auth.SignedInRequest, slug: str) -> HttpResponse:
    script = lookup.script(slug)
    fields = drafts.text(script).fields
    offer = resolution.offer(**fields)
    if offer.requirements:
        fields["requirements"] = ""
    if offer.requires_python:
        fields["python_version"] = ""
    based_on = drafts.revision_named(request.POST.get("based_on", ""))
    try:
        drafts.save(script, by=request.user, now=timezone.now(), based_on=based_on, **fields)
    except Conflict:
        messages.error(
            request,
            "Nothing was taken over: somebody has changed the text meanwhile. Look at it and try again.",
        )
    else:
        messages.success(
            request, "Taken over: the code's block says what is needed. Save a version to use it."
        )
    return redirect("script-edit", slug)


@require_safe
def environment_lock(request: HttpRequest, pk: int) -> HttpResponse:
    environment = lookup.environment(pk)
    head = f"# Python {environment.python}\n"
    response = HttpResponse(head + environment.lock, content_type="text/plain; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="requirements.lock"'
    return response
