"""A script: the tab with the text, and the buttons of the page."""

from dataclasses import replace
from datetime import datetime
from typing import Any, TypedDict

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
from runs_app.triggers import builds, confirmation, triggers
from runs_app.triggers.confirmation import ConfirmationNeeded
from scripts_app import forms, lookup, scripts
from scripts_app.diagnostics import check
from scripts_app.diagnostics.missing_packages import known_modules
from scripts_app.diagnostics.models import Problem
from scripts_app.environments.builds import BuildProgress
from scripts_app.files import text_files
from scripts_app.forms import TextForm
from scripts_app.models import Environment, Script
from scripts_app.packages import resolution
from scripts_app.packages.resolution import Offer
from scripts_app.versions import drafts
from scripts_app.versions.drafts import Conflict, Text
from scripts_app.views import outside_edits
from scripts_app.views.outside_edits import ExternalEditContext
from tempo_site import auth
from tempo_site.pages import undo

RECENT_RUNS = 10
TABS = {
    "overview": "script-overview",
    "code": "script-edit",
    "schedule": "script-schedule",
    "runs": "script-runs",
    "versions": "script-versions",
    "files": "script-file-list",
    "environment": "script-environment",
    "variables": "script-variables",
    "notifications": "script-notifications",
    "trigger": "script-trigger",
    "settings": "script-settings",
}


class SideContext(TypedDict):
    now: datetime
    script: Script
    environment: Environment | None
    build_run: Run | None
    progress: BuildProgress | None
    is_older_in_use: bool
    runs: list[Run]


class EditorContext(TypedDict):
    form: TextForm
    text: Text
    conflict: Text | None
    revision: Any  # of the form: what the browser sent, unchecked
    is_draft: bool
    zone: str
    problems: list[Problem]
    offer: Offer
    pythons: list[tuple[str, str]]
    tabs: list[str]


class QuestionContext(TypedDict):
    doubts: list[Problem]
    is_known: bool


class ScriptPageContext(SideContext, EditorContext, QuestionContext, ExternalEditContext):
    pass


@require_http_methods(["GET", "HEAD", "POST"])
def script_edit(request: auth.SignedInRequest, slug: str) -> HttpResponse:
    """Show the text, problems, environment and last runs; `?part=side` is the part that changes on an open page.

    A POST stores the text: `act` is `save` (a version), `run` (a version and a run) or `draft`. With `?ask=run` the
    page asks whether to run a version in spite of the problems that were found.
    """
    now = timezone.now()
    script = lookup.script_for_page(slug, now=now)
    if request.GET.get("part") == "side":
        return render(request, "scripts/_side.html", side_context(script, now=now))
    text = drafts.text(script)
    form = TextForm(request.POST or None, initial={**text.fields, "based_on": text.revision})
    conflict = None
    if form.is_valid():
        try:
            answer = forms.attempt(form, lambda: store_text(request, script, form, now=now))
        except Conflict as refusal:
            answer, conflict = None, refusal.current
        if answer is not None:
            return answer
    context: ScriptPageContext = {
        **side_context(script, now=now),
        **editor_context(script, form, text, conflict),
        **question_context(script, is_asked=request.GET.get("ask") == "run"),
        **outside_edits.external_edit_context(script),
    }
    status = 409 if conflict else 200
    return render(request, "scripts/edit.html", context, status=status)


def side_context(script: Script, *, now: datetime) -> SideContext:
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


def editor_context(
    script: Script, form: TextForm, text: Text, conflict: Text | None
) -> EditorContext:
    if conflict:
        form.put_on_top_of(conflict.revision)
    if form.is_bound:
        text = replace(
            text,
            code=form["code"].value() or "",
            requirements=form["requirements"].value() or "",
            python_version=form["python_version"].value() or "",
        )
    is_unreadable = "based_on" in form.errors
    return {
        "form": form,
        "text": text,
        "conflict": conflict,
        "revision": text.revision if is_unreadable else form["based_on"].value(),
        "is_draft": text.is_draft,
        "zone": settings.TIME_ZONE,
        "problems": check.find_problems(**text.fields, known=known_modules(script)),
        "offer": resolution.offer(**text.fields),
        "pythons": forms.python_choices(text.python_version),
        "tabs": text_files.tabs(script),
    }


def question_context(script: Script, *, is_asked: bool) -> QuestionContext:
    if script.version is None:
        return {"doubts": [], "is_known": False}
    is_known = confirmation.has_run(script)
    doubts: list[Problem] = []
    if is_asked and not is_known:
        doubts = confirmation.problems_of(script.version)
    return {"doubts": doubts, "is_known": is_known}


def store_text(
    request: auth.SignedInRequest, script: Script, form: TextForm, *, now: datetime
) -> HttpResponse:
    """Store the text and go on. Raises ScriptError and Conflict."""
    values = dict(form.cleaned_data)
    note = values.pop("note")
    act = request.POST.get("act")
    if act == "draft":
        drafts.save(script, by=request.user, now=now, **values)
        messages.success(request, "Saved as a draft: it is run when you save a version.")
        return redirect("script-edit", script.slug)
    before = script.version_id
    scripts.update(script, by=request.user, now=now, note=note, **values)
    if act == "run":
        return start(request, script)
    if script.version_id != before:
        messages.success(request, f"Saved as {script.version}.")
    else:
        messages.success(request, f"No changes since {script.version}.")
    return redirect("script-edit", script.slug)


@require_POST
def script_run(request: auth.SignedInRequest, slug: str) -> HttpResponse:
    return start(request, confirmation.script_to_start(slug))


def start(request: auth.SignedInRequest, script: Script) -> HttpResponse:
    by = request.user.get_username()
    try:
        confirmation.require(script, is_confirmed="confirm" in request.POST)
        run = triggers.start(script, trigger=Trigger.MANUAL, by=by, now=timezone.now())
    except ConfirmationNeeded:
        return redirect(question_address(script))
    except triggers.WrongInputs:
        messages.info(request, "It was not run yet: it needs an input.")
        return redirect("script-run-with", script.slug)
    except triggers.Refused as refusal:
        messages.error(request, str(refusal))
        return back(request, script.slug)
    return redirect("run-detail", run.pk)


def question_address(script: Script) -> str:
    return f"{reverse('script-edit', args=[script.slug])}?ask=run"


@require_POST
def script_switch(request: auth.SignedInRequest, slug: str) -> HttpResponse:
    script = lookup.script(slug)
    enabled = request.POST.get("enabled") == "1"
    scripts.update(script, by=request.user, now=timezone.now(), enabled=enabled)
    undo.offer(
        request,
        f"`{script.name}` is {'enabled' if enabled else 'disabled'}.",
        url=reverse("script-switch", args=[slug]),
        enabled="0" if enabled else "1",
        tab=request.POST.get("tab", ""),
    )
    return back(request, slug)


@require_POST
def script_draft_discard(request: HttpRequest, slug: str) -> HttpResponse:
    script = lookup.script(slug)
    based_on = drafts.revision_named(request.POST.get("based_on", ""))
    try:
        drafts.discard(script, based_on=based_on)
    except Conflict as refusal:
        author = refusal.current.author
        who = f"`{author}`" if author else "somebody"
        messages.error(
            request,
            f"The draft was not discarded: {who} has changed it meanwhile. This is their text.",
        )
    else:
        messages.success(request, f"The draft is discarded: this is {script.version} again.")
    return redirect("script-edit", slug)


def back(request: HttpRequest, slug: str) -> HttpResponse:
    return redirect(TABS.get(request.POST.get("tab", ""), "script-overview"), slug)
