"""A script's settings: a new one, its name, folder and limits, and its end."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from runs_app import history
from scripts_app import confinement, finding, forms, limits, scripts
from scripts_app.forms import NewScriptForm, SettingsForm
from scripts_app.models import Folder
from tempo_site import auth, health

STARTER = """\
import platform

print(f"Hello from Python {platform.python_version()}!")
for number in range(1, 4):
    print("step", number, "of 3")
"""

form_page = require_http_methods(["GET", "HEAD", "POST"])


@form_page
def script_new(request: auth.SignedInRequest) -> HttpResponse:
    """Create a script from a name and open its editor; `?part=form` is the form alone, for a dialog."""
    form = NewScriptForm(request.POST or None, initial={"folder": request.GET.get("folder", "")})
    if form.is_valid():
        now = timezone.now()
        script = forms.attempt(
            form, lambda: scripts.create(by=request.user, now=now, code=STARTER, **form.cleaned_data)
        )
        if script:
            return redirect("script-detail", script.slug)
    template = "scripts/_new_form.html" if request.GET.get("part") == "form" else "scripts/new.html"
    return render(request, template, {"form": form, "folders": Folder.objects.all()})


@form_page
def script_settings(request: auth.SignedInRequest, slug: str) -> HttpResponse:
    """Everything about a script but its text and its schedules."""
    script = finding.script(slug)
    form = SettingsForm(request.POST or None, initial=SettingsForm.values_of(script))
    if form.is_valid():
        now = timezone.now()
        if forms.attempt(form, lambda: scripts.update(script, by=request.user, now=now, **form.changes)):
            messages.success(request, f"Saved the settings of `{form.cleaned_data['name']}`.")
            return redirect("script-settings", slug)
    stored = finding.script(slug)  # what was typed and refused stays in the form
    context = {
        "now": timezone.now(),
        "script": stored,
        "form": form,
        "folders": Folder.objects.all(),
        "files": f"scripts/{slug}/",
        "lowered": list(limits.lowered(stored)),
        "isolation": confinement.of(stored, health.isolation(), had=history.lowered_isolation(stored)),
        "start_url": request.build_absolute_uri(f"/api/v1/scripts/{slug}/runs"),
    }
    return render(request, "scripts/settings.html", context)


@form_page
def script_delete(request: auth.SignedInRequest, slug: str) -> HttpResponse:
    """Ask, then delete; history and files stay."""
    script = finding.script(slug)
    if request.method == "POST":
        scripts.delete(script, now=timezone.now())
        messages.success(request, f"Deleted `{script.name}`.")
        return redirect("script-list")
    return render(request, "scripts/delete.html", {"script": script})
