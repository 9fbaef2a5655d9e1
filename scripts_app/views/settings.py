"""A script's settings: a new one, its name, folder and limits, and its end."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from runs_app.history import history
from scripts_app import forms, limits, lookup, script_templates, scripts
from scripts_app.files import isolation_summary
from scripts_app.forms import NewScriptForm, SettingsForm
from scripts_app.models import Folder, Script
from tempo_site import auth, health

FIRST_LINES = """\
import platform

print(f"Hello from Python {platform.python_version()}!")
for number in range(1, 4):
    print("step", number, "of 3")
"""

form_page = require_http_methods(["GET", "HEAD", "POST"])


@form_page
def script_new(request: auth.SignedInRequest) -> HttpResponse:
    """Create a script from a name or a starter and open its editor; `?part=form` is the form alone, for a dialog."""
    form = NewScriptForm(
        request.POST or None,
        initial={name: request.GET.get(name, "") for name in ("folder", "start")},
    )
    if form.is_valid() and (
        script := forms.attempt(form, lambda: created(request, **form.cleaned_data))
    ):
        return redirect("script-detail", script.slug)
    template = "scripts/_new_form.html" if request.GET.get("part") == "form" else "scripts/new.html"
    context = {
        "form": form,
        "folders": Folder.objects.all(),
        "starters": script_templates.all_templates().values(),
    }
    return render(request, template, context)


def created(request: auth.SignedInRequest, *, start: str, name: str, folder: str) -> Script:
    """The new script; of one from a starter it is said that its schedule waits to be switched on."""
    now = timezone.now()
    if not start:
        return scripts.create(name=name, folder=folder, code=FIRST_LINES, by=request.user, now=now)
    starter = script_templates.find_template(start)
    script = script_templates.create_from_template(
        starter, name=name, folder=folder, by=request.user, now=now
    )
    messages.info(
        request,
        f"Its suggested schedule, {starter.rhythm[:1].lower()}{starter.rhythm[1:]}, is there but switched off.",
    )
    return script


@form_page
def script_settings(request: auth.SignedInRequest, slug: str) -> HttpResponse:
    """Everything about a script but its text and its schedules."""
    script = lookup.script(slug)
    form = SettingsForm(request.POST or None, initial=SettingsForm.values_of(script))
    if form.is_valid():
        now = timezone.now()
        if forms.attempt(
            form, lambda: scripts.update(script, by=request.user, now=now, **form.changes)
        ):
            messages.success(request, f"Saved the settings of `{form.cleaned_data['name']}`.")
            return redirect("script-settings", slug)
    stored = lookup.script(slug)  # what was typed and refused stays in the form
    context = {
        "now": timezone.now(),
        "script": stored,
        "form": form,
        "folders": Folder.objects.all(),
        "files": f"scripts/{slug}/",
        "lowered": list(limits.lowered_limits(stored)),
        "isolation": isolation_summary.summary_of(
            stored, health.isolation(), had=history.lowered_isolation(stored)
        ),
        "start_url": request.build_absolute_uri(f"/api/v1/scripts/{slug}/runs"),
    }
    return render(request, "scripts/settings.html", context)


@form_page
def script_delete(request: auth.SignedInRequest, slug: str) -> HttpResponse:
    """Ask, then delete; for 30 days it can be restored."""
    script = lookup.script(slug)
    if request.method == "POST":
        scripts.delete(script, now=timezone.now())
        messages.success(request, f"Deleted `{script.name}`.")
        return redirect("script-list")
    return render(request, "scripts/delete.html", {"script": script})


@require_POST
def script_duplicate(request: auth.SignedInRequest, slug: str) -> HttpResponse:
    """Copy a script and go to the copy."""
    script, name = lookup.script(slug), request.POST.get("name", "").strip()
    try:
        copy = scripts.duplicate(script, by=request.user, now=timezone.now(), name=name)
    except scripts.ScriptError as refusal:
        messages.error(request, str(refusal))
        return redirect("script-settings", slug)
    messages.success(request, f"This is the copy of `{script.name}`. It is disabled.")
    return redirect("script-detail", copy.slug)
