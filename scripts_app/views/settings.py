"""A script's settings: creation, name, folder and limits, deletion."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple, TypedDict

from django.contrib import messages
from django.db.models import QuerySet
from django.forms import BoundField
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from runs_app.figures import peaks
from runs_app.history import history
from scripts_app import forms, limits, lookup, script_templates, scripts
from scripts_app.files import isolation_summary
from scripts_app.files.isolation_summary import IsolationSummary
from scripts_app.forms import NewScriptForm, SettingsForm
from scripts_app.models import Folder, Script
from scripts_app.script_templates import ScriptTemplate
from tempo_site import auth, health
from tempo_site.lib import origins
from tempo_site.pages import undo

FIRST_LINES = """\
import platform

print(f"Hello from Python {platform.python_version()}!")
for number in range(1, 4):
    print("step", number, "of 3")
"""

form_page = require_http_methods(["GET", "HEAD", "POST"])


class NewScriptContext(TypedDict):
    form: NewScriptForm
    folders: QuerySet[Folder]
    starters: Iterable[ScriptTemplate]


class LimitRow(NamedTuple):
    field: BoundField
    peak: str


class SettingsContext(TypedDict):
    now: datetime
    script: Script
    form: SettingsForm
    folders: QuerySet[Folder]
    files: str
    limits: list["LimitRow"]
    lowered: list[str]
    isolation: IsolationSummary
    start_url: str


@form_page
def script_new(request: auth.SignedInRequest) -> HttpResponse:
    initial = {"folder": request.GET.get("folder", ""), "start": request.GET.get("start", "")}
    form = NewScriptForm(request.POST or None, initial=initial)
    if form.is_valid():
        script = forms.attempt(form, lambda: create(request, **form.cleaned_data))
        if script is not None:
            return redirect("script-edit", script.slug)
    context: NewScriptContext = {
        "form": form,
        "folders": Folder.objects.all(),
        "starters": script_templates.all_templates().values(),
    }
    is_part = request.GET.get("part") == "form"
    template = "scripts/_new_form.html" if is_part else "scripts/new.html"
    return render(request, template, context)


def create(request: auth.SignedInRequest, *, start: str, name: str, folder: str) -> Script:
    by, now = request.user, timezone.now()
    if not start:
        return scripts.create(name=name, folder=folder, code=FIRST_LINES, by=by, now=now)
    starter = script_templates.find_template(start)
    script = script_templates.create_from_template(
        starter, name=name, folder=folder, by=by, now=now
    )
    rhythm = starter.rhythm[:1].lower() + starter.rhythm[1:]
    messages.info(request, f"Its suggested schedule, {rhythm}, is there but switched off.")
    return script


@form_page
def script_settings(request: auth.SignedInRequest, slug: str) -> HttpResponse:
    now = timezone.now()
    script = lookup.script(slug)
    form = SettingsForm(
        request.POST or None,
        initial=SettingsForm.values_of(script),
        is_staff=request.user.is_staff,
    )
    if form.is_valid():
        saved = forms.attempt(
            form, lambda: scripts.update(script, by=request.user, now=now, **form.changes)
        )
        if saved is not None:
            messages.success(request, f"Saved the settings of `{form.cleaned_data['name']}`.")
            return redirect("script-settings", slug)
    stored = lookup.script_for_page(slug, now=now)  # what was typed and refused stays in the form
    start_url = origins.absolute(request, f"/api/v1/scripts/{slug}/runs")
    context = settings_context(stored, form, start_url=start_url, now=now)
    return render(request, "scripts/settings.html", context)


def settings_context(
    script: Script, form: SettingsForm, *, start_url: str, now: datetime
) -> SettingsContext:
    isolation = isolation_summary.summary_of(
        script, health.isolation(), had=history.lowered_isolation(script)
    )
    return {
        "now": now,
        "script": script,
        "form": form,
        "folders": Folder.objects.all(),
        "files": f"scripts/{script.slug}/",
        "limits": limit_rows(script, form, now=now),
        "lowered": list(limits.lowered_limits(script)),
        "isolation": isolation,
        "start_url": start_url,
    }


def limit_rows(script: Script, form: SettingsForm, *, now: datetime) -> list[LimitRow]:
    known = peaks.peaks_of(script, now=now)
    return [LimitRow(field, known.get(field.name, "")) for field in form.limit_fields()]


@form_page
def script_delete(request: auth.SignedInRequest, slug: str) -> HttpResponse:
    script = lookup.script(slug)
    if request.method == "POST":
        scripts.delete(script, now=timezone.now())
        restore = reverse("script-restore", args=[slug])
        undo.offer(request, f"Deleted `{script.name}`.", url=restore)
        return redirect("script-list")
    return render(request, "scripts/delete.html", {"script": script})


@require_POST
def script_duplicate(request: auth.SignedInRequest, slug: str) -> HttpResponse:
    script = lookup.script(slug)
    name = request.POST.get("name", "").strip()
    try:
        copy = scripts.duplicate(script, by=request.user, now=timezone.now(), name=name)
    except scripts.ScriptError as refusal:
        messages.error(request, str(refusal))
        return redirect("script-settings", slug)
    messages.success(request, f"This is the copy of `{script.name}`. It is disabled.")
    return redirect("script-edit", copy.slug)
