"""The environment of one script: how far it is, its packages, newer ones to look at before they are used."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from runs_app.triggers import builds
from scripts_app import lookup
from scripts_app.environments import environments, upgrades
from scripts_app.models import Environment, Script
from scripts_app.packages import locks, resolution
from scripts_app.versions import drafts, versions
from scripts_app.versions.drafts import Conflict
from tempo_site import auth


@require_safe
def script_environment(request: HttpRequest, slug: str) -> HttpResponse:
    """The environment that the current version asks for; `?part=environment` is what changes while one looks at it."""
    script, now = lookup.script(slug), timezone.now()
    is_part = request.GET.get("part") == "environment"
    template = "scripts/_environment_parts.html" if is_part else "scripts/environment.html"
    return render(request, template, environment_page_context(script, now=now))


def environment_page_context(script: Script, *, now: datetime) -> dict[str, Any]:
    """What the page shows."""
    stored = Script.objects.select_related("wanted_environment", "environment", "upgrade").get(
        pk=script.pk
    )
    environment, upgrade = stored.wanted_environment or stored.environment, stored.upgrade
    in_use = stored.environment.lock if stored.environment else ""
    return {
        "now": now,
        "script": script,
        "environment": environment,
        "packages": locks.packages(environment.lock) if environment else [],
        "is_older_in_use": stored.environment_id not in (None, stored.wanted_environment_id),
        "follows_code": follows_code(script),
        "upgrade": upgrade,
        "changes": locks.difference(in_use, upgrade.lock) if upgrade and upgrade.is_ready else [],
        **build_facts(environment),
        "upgrade_build": build_facts(upgrade),
    }


def follows_code(script: Script) -> bool:
    """Whether it was the code's PEP 723 block that named packages or Python of the current version."""
    version = script.version
    if version is None:
        return False
    offer = resolution.offer(**versions.fields_of(version))
    return bool(offer) and not offer.is_overruled


def build_facts(environment: Environment | None) -> dict[str, Any]:
    """The newest run that built an environment or tries to, and how far it is."""
    run = builds.run_of(environment)
    return {"build_run": run, "progress": builds.progress_of(run)}


@require_POST
def script_rebuild(request: HttpRequest, slug: str) -> HttpResponse:
    """Have the environment built again: after a failed build, or because something is wrong with it."""
    return act(request, slug, environments.rebuild, "The environment of `{}` is asked for.")


@require_POST
def script_upgrade(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask for newer packages."""
    return act(
        request,
        slug,
        upgrades.request,
        "Newer packages for `{}` are looked for. They are used when you say so.",
    )


@require_POST
def script_upgrade_use(request: HttpRequest, slug: str) -> HttpResponse:
    """Use the newer packages from now on."""
    return act(request, slug, upgrades.use, "Runs of `{}` use the newer packages from now on.")


@require_POST
def script_upgrade_discard(request: HttpRequest, slug: str) -> HttpResponse:
    """Forget the newer packages."""
    return act(request, slug, upgrades.discard, "`{}` keeps the packages it has.")


def act(
    request: HttpRequest, slug: str, verb: Callable[[Script], object], done: str
) -> HttpResponse:
    """Call a verb on a script, say what came of it and go to its environment, or back to its text."""
    script = lookup.script(slug)
    try:
        verb(script)
    except (
        ValueError
    ) as refusal:  # a Python that is gone, a requirement that is refused by now, no upgrade
        messages.error(request, str(refusal))
    else:
        messages.success(request, done.format(script.name))
    return redirect(
        "script-detail" if request.POST.get("tab") == "code" else "script-environment", slug
    )


@require_POST
def script_take_over(request: auth.SignedInRequest, slug: str) -> HttpResponse:
    """Empty the fields that stand before the code's PEP 723 block, in the draft."""
    script = lookup.script(slug)
    text = drafts.text(script)
    offer = resolution.offer(**text.fields)
    emptied = {
        **text.fields,
        **({"requirements": ""} if offer.requirements else {}),
        **({"python_version": ""} if offer.requires_python else {}),
    }
    based_on = drafts.revision_named(request.POST.get("based_on", ""))
    try:
        drafts.save(script, by=request.user, now=timezone.now(), based_on=based_on, **emptied)
    except Conflict:
        messages.error(
            request,
            "Nothing was taken over: somebody has changed the text meanwhile. Look at it and try again.",
        )
    else:
        messages.success(
            request, "Taken over: the code's block says what is needed. Save a version to use it."
        )
    return redirect("script-detail", slug)


@require_safe
def environment_lock(request: HttpRequest, pk: int) -> HttpResponse:
    """The lock of an environment as a file: `pip install --require-hashes -r requirements.lock` installs the same."""
    found = lookup.environment(pk)
    head = f"# Python {found.python}\n"
    response = HttpResponse(head + found.lock, content_type="text/plain; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="requirements.lock"'
    return response
