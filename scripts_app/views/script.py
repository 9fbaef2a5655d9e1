"""One script: the tab with its text, and what its buttons do."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from runs_app.history import history
from runs_app.models import Run
from runs_app.states import Trigger
from runs_app.triggers import builds, triggers
from scripts_app import forms, lookup, scripts
from scripts_app.diagnostics import check
from scripts_app.diagnostics.models import Problem
from scripts_app.forms import TextForm
from scripts_app.models import Script
from scripts_app.packages import resolution
from scripts_app.versions import drafts, versions
from scripts_app.versions.drafts import Conflict, Text
from scripts_app.views import outside_edits
from tempo_site import auth

RECENT_RUNS = 10
TABS = {
    "code": "script-detail",
    "schedule": "script-schedule",
    "runs": "script-runs",
    "versions": "script-versions",
    "files": "script-file-list",
    "environment": "script-environment",
    "variables": "script-variables",
    "settings": "script-settings",
}


@require_http_methods(["GET", "HEAD", "POST"])
def script_detail(request: auth.SignedInRequest, slug: str) -> HttpResponse:
    """The text, its problems, environment and last runs; `?part=side` is what changes while one looks at it.

    A POST stores the text: `act` is `save` (a version), `run` (a version and a run of it) or `draft`. With `?ask=run`
    it asks whether to run a version that problems were found in.
    """
    script, now = lookup.script(slug), timezone.now()
    if request.GET.get("part") == "side":
        return render(request, "scripts/_side.html", side(script, now=now))
    text = drafts.text(script)
    form = TextForm(request.POST or None, initial={**text.fields, "based_on": text.revision})
    conflict = None
    if form.is_valid():
        try:
            if answer := forms.attempt(
                form, lambda: store(request, script, form.cleaned_data, now=now)
            ):
                return answer
        except Conflict as refusal:
            conflict = refusal.current
    context = (
        side(script, now=now)
        | editor(form, text, conflict)
        | outside_edits.external_edit_context(script)
    )
    context |= confirmation(
        script, context["problems"], is_asked=request.GET.get("ask") == "run" and not text.is_draft
    )
    return render(request, "scripts/detail.html", context, status=409 if conflict else 200)


def side(script: Script, *, now: datetime) -> dict[str, Any]:
    """What stands beside the text and changes by itself."""
    environment = script.wanted_environment or script.environment
    build_run = builds.run_of(environment)
    return {
        "now": now,
        "script": script,
        "environment": environment,
        "build_run": build_run,
        "progress": builds.progress_of(build_run),
        "is_older_in_use": script.environment_id not in (None, script.wanted_environment_id),
        "runs": history.page(script=script.slug, limit=RECENT_RUNS),
    }


def editor(form: TextForm, text: Text, conflict: Text | None) -> dict[str, Any]:
    """The text with what is wrong with it; after a refusal, what was typed instead of what is stored."""
    if conflict:
        form.put_on_top_of(conflict.revision)
    if form.is_bound:
        code, requirements, python = (
            form[name].value() or "" for name in ("code", "requirements", "python_version")
        )
        text = replace(text, code=code, requirements=requirements, python_version=python)
    return {
        "form": form,
        "text": text,
        "conflict": conflict,
        "revision": text.revision if "based_on" in form.errors else form["based_on"].value(),
        "is_draft": text.is_draft,
        "zone": settings.TIME_ZONE,
        "problems": check.find_problems(**text.fields),
        "offer": resolution.offer(**text.fields),
        "pythons": forms.python_choices(text.python_version),
    }


def confirmation(script: Script, found: list[Problem], *, is_asked: bool) -> dict[str, Any]:
    """Which problems stand against running the text; nobody is asked again about a version that has run."""
    is_known = script.version is not None and has_run(script)
    return {
        "doubts": check.problems_to_confirm(found) if is_asked and not is_known else [],
        "is_known": is_known,
    }


def needs_confirmation(script: Script) -> bool:
    """Whether to ask before the current version is run for the first time."""
    assert script.version
    return not has_run(script) and bool(
        check.problems_to_confirm(check.find_problems(**versions.fields_of(script.version)))
    )


def has_run(script: Script) -> bool:
    """Whether the current version has run before, or is about to."""
    return Run.objects.filter(script=script, version=script.version_id).exists()


def store(
    request: auth.SignedInRequest, script: Script, values: dict[str, Any], *, now: datetime
) -> HttpResponse:
    """Store the text and go on. Raises ScriptError and Conflict."""
    note = values.pop("note")
    if request.POST.get("act") == "draft":
        drafts.save(script, by=request.user, now=now, **values)
        messages.success(request, "Saved as a draft: it is run when you save a version.")
        return redirect("script-detail", script.slug)
    before = script.version_id
    scripts.update(script, by=request.user, now=now, note=note, **values)
    if request.POST.get("act") == "run":
        question = f"{reverse('script-detail', args=[script.slug])}?ask=run"
        return redirect(question) if needs_confirmation(script) else start(request, script)
    is_new = script.version_id != before
    messages.success(
        request, f"Saved as {script.version}." if is_new else f"No changes since {script.version}."
    )
    return redirect("script-detail", script.slug)


@require_POST
def script_run(request: auth.SignedInRequest, slug: str) -> HttpResponse:
    """Start a run and go to it."""
    return start(request, lookup.script(slug))


def start(request: auth.SignedInRequest, script: Script) -> HttpResponse:
    """Start a run of the current version and go to it, or back with the reason why it was refused."""
    try:
        run = triggers.start(
            script, trigger=Trigger.MANUAL, by=request.user.get_username(), now=timezone.now()
        )
    except triggers.WrongInputs:
        messages.info(request, "It was not run yet: it needs an input.")
        return redirect("script-run-with", script.slug)
    except triggers.Refused as refusal:
        messages.error(request, str(refusal))
        return back(request, script.slug)
    return redirect("run-detail", run.pk)


@require_POST
def script_switch(request: auth.SignedInRequest, slug: str) -> HttpResponse:
    """Enable or disable a script (`enabled=1` or `0`)."""
    script, enabled = lookup.script(slug), request.POST.get("enabled") == "1"
    scripts.update(script, by=request.user, now=timezone.now(), enabled=enabled)
    messages.success(request, f"`{script.name}` is {'enabled' if enabled else 'disabled'}.")
    return back(request, slug)


@require_POST
def script_draft_discard(request: HttpRequest, slug: str) -> HttpResponse:
    """Throw the draft away; the version is the text again."""
    script = lookup.script(slug)
    try:
        drafts.discard(script, based_on=drafts.revision_named(request.POST.get("based_on", "")))
    except Conflict as refusal:
        who = f"`{refusal.current.author}`" if refusal.current.author else "somebody"
        messages.error(
            request,
            f"The draft was not discarded: {who} has changed it meanwhile. This is their text.",
        )
    else:
        messages.success(request, f"The draft is discarded: this is {script.version} again.")
    return redirect("script-detail", slug)


def back(request: HttpRequest, slug: str) -> HttpResponse:
    """To the tab that a button of the script's head was pressed on."""
    return redirect(TABS.get(request.POST.get("tab", ""), "script-detail"), slug)
