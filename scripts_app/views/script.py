"""One script: its page with code, environment and recent runs, and what its buttons do."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from runs_app import history, triggers
from runs_app.models import Run
from runs_app.states import Kind, Trigger
from scripts_app import environments, finding, forms, scripts
from scripts_app.forms import ScriptForm
from scripts_app.models import Environment, Script
from scripts_app.views.schedules import preview
from tempo_site import auth

RECENT_RUNS = 10

form_page = require_http_methods(["GET", "HEAD", "POST"])


@form_page
def script_new(request: auth.SignedInRequest) -> HttpResponse:
    """Create a script."""
    form = ScriptForm(request.POST or None, initial={"folder": request.GET.get("folder", "")})
    if form.is_valid():
        now = timezone.now()
        script = forms.attempt(form, lambda: scripts.create(by=request.user, now=now, **form.cleaned_data))
        if script:
            messages.success(request, f"Created `{script.name}`.")
            return redirect("script-detail", script.slug)
    return render(request, "scripts/new.html", {"form": form})


@require_safe
def script_detail(request: HttpRequest, slug: str) -> HttpResponse:
    """One script: code, requirements, environment, schedules, recent runs."""
    script, now = finding.script(slug), timezone.now()
    environment = script.wanted_environment or script.environment
    own = script.schedules.select_related("alarm", "script")
    context = {
        "now": now,
        "script": script,
        "environment": environment,
        "build_run": build_run_of(environment),
        "is_older_in_use": script.environment_id not in (None, script.wanted_environment_id),
        "schedules": [(schedule, preview(schedule, now=now)) for schedule in own],
        "runs": history.page(script=script.slug, limit=RECENT_RUNS),
    }
    return render(request, "scripts/detail.html", context)


@form_page
def script_edit(request: auth.SignedInRequest, slug: str) -> HttpResponse:
    """Change a script; other code, requirements or Python make a new version."""
    script = finding.script(slug)
    form = ScriptForm(request.POST or None, initial=ScriptForm.values_of(script))
    if is_stale(request, script):
        form.add_error(
            None,
            f"{script.version} was saved while you were editing. Your text is still here: saving again puts it on top.",
        )
    elif form.is_valid():
        now = timezone.now()
        if forms.attempt(form, lambda: scripts.update(script, by=request.user, now=now, **form.cleaned_data)):
            messages.success(request, f"Saved `{form.cleaned_data['name']}`.")
            return redirect("script-detail", slug)
    return render(request, "scripts/edit.html", {"form": form, "script": script})


def is_stale(request: HttpRequest, script: Script) -> bool:
    """Whether a posted form was made from another version than the current one."""
    return request.method == "POST" and request.POST.get("based_on", "") not in ("", str(script.version_id))


@require_POST
def script_run(request: auth.SignedInRequest, slug: str) -> HttpResponse:
    """Start a run and go to it."""
    script = finding.script(slug)
    try:
        run = triggers.start(script, trigger=Trigger.MANUAL, by=request.user.get_username(), now=timezone.now())
    except triggers.Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("script-detail", slug)
    return redirect("run-detail", run.pk)


@require_POST
def script_switch(request: auth.SignedInRequest, slug: str) -> HttpResponse:
    """Switch a script's schedules on or off (`enabled=1` or `0`)."""
    script, enabled = finding.script(slug), request.POST.get("enabled") == "1"
    scripts.update(script, by=request.user, now=timezone.now(), enabled=enabled)
    messages.success(request, f"`{script.name}` is switched {'on' if enabled else 'off'}.")
    return redirect("script-detail", slug)


@require_POST
def script_rebuild(request: auth.SignedInRequest, slug: str) -> HttpResponse:
    """Ask for the environment again, after a failed build."""
    script = finding.script(slug)
    try:
        environments.want(script)
    except ValueError as refusal:  # a Python that is gone, a requirement that is refused by now
        messages.error(request, str(refusal))
    else:
        messages.success(request, f"The environment of `{script.name}` is asked for.")
    return redirect("script-detail", slug)


@form_page
def script_delete(request: auth.SignedInRequest, slug: str) -> HttpResponse:
    """Ask, then delete; history and files stay."""
    script = finding.script(slug)
    if request.method == "POST":
        scripts.delete(script, now=timezone.now())
        messages.success(request, f"Deleted `{script.name}`.")
        return redirect("script-list")
    return render(request, "scripts/delete.html", {"script": script})


def build_run_of(environment: Environment | None) -> Run | None:
    """Return the newest run that built this environment, or tries to."""
    return Run.objects.filter(kind=Kind.BUILD, environment=environment).newest_first().first() if environment else None
