"""Pages of scripts and their schedules."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.db.models import Min, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from runs_app import history, triggers
from runs_app.models import Run
from runs_app.states import Kind, Trigger
from scripts_app import environments, finding, forms, schedules, scripts, timing
from scripts_app.forms import ScheduleForm, ScriptForm
from scripts_app.models import Environment, Folder, Schedule, Script
from tempo_site import auth

RECENT_RUNS = 10
NEXT_MOMENTS = 5

form_page = require_http_methods(["GET", "HEAD", "POST"])


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a rhythm means: a sentence, the next due moments, notes about the clock's changes."""

    sentence: str
    moments: list[datetime]
    notes: list[str]
    zone: str


# --- scripts ----------------------------------------------------------------------------------------------------------
@require_safe
def script_list(request: HttpRequest) -> HttpResponse:
    """All scripts by folder, with state, next due moment and last run; `?folder=` and `?q=` narrow it."""
    folder, words = request.GET.get("folder", ""), request.GET.get("q", "").strip()
    rows = with_next_and_last(Script.objects.present())
    if folder:
        rows = rows.filter(Q(folder__path=folder) | Q(folder__path__startswith=f"{folder}/"))
    if words:
        rows = rows.filter(Q(name__icontains=words) | Q(slug__icontains=words))
    found = list(rows)
    last_runs = Run.objects.in_bulk([script.last_run_id for script in found if script.last_run_id])
    context = {
        "now": timezone.now(),
        "rows": [(script, last_runs.get(script.last_run_id)) for script in found],
        "folders": Folder.objects.filter(scripts__deleted_at=None, scripts__isnull=False).distinct(),
        "folder": folder,
        "words": words,
    }
    return render(request, "scripts/list.html", context)


def with_next_and_last(rows: QuerySet[Script]) -> QuerySet[Any]:
    """Add `next_at` and `last_run_id`, folder and environment, without a query a row."""
    newest = Run.objects.scripts().filter(script=OuterRef("pk")).newest_first().values("pk")[:1]
    armed = Q(enabled=True, schedules__enabled=True)
    heavy = [f"{name}__{field}" for name in ("environment", "wanted_environment") for field in ("lock", "requirements")]
    return (
        rows.select_related("folder", "environment", "wanted_environment")
        .defer(*heavy)
        .annotate(next_at=Min("schedules__alarm__next_run", filter=armed), last_run_id=Subquery(newest))
        .order_by("folder__path", "name", "pk")
    )


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


# --- schedules --------------------------------------------------------------------------------------------------------
@form_page
def schedule_new(request: HttpRequest, slug: str) -> HttpResponse:
    """Give a script a schedule."""
    script = finding.script(slug)
    return schedule_page(request, Schedule(script=script, kind=Schedule.Kind.CRON), "schedules/new.html")


@form_page
def schedule_edit(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Change a schedule."""
    return schedule_page(request, finding.schedule(pk, slug=slug), "schedules/edit.html")


def schedule_page(request: HttpRequest, schedule: Schedule, template: str) -> HttpResponse:
    """Show the form, preview it, or save it."""
    now = timezone.now()
    form = ScheduleForm(request.POST or None, instance=schedule)
    shown = None if form.is_bound or not schedule.pk else preview(schedule, now=now)
    if form.is_valid():
        if "preview" in request.POST:
            shown = forms.attempt(form, lambda: preview_strictly(schedule, now=now))
        elif forms.attempt(form, lambda: schedules.save(schedule, now=now)):
            for note in timing.warnings(schedule.timing, now):
                messages.warning(request, note)
            messages.success(request, f"Saved: {schedule.describe()}.")
            return redirect("script-detail", schedule.script.slug)
    context = {"form": form, "schedule": schedule, "script": schedule.script, "preview": shown, "now": now}
    return render(request, template, {**context, "zones": forms.zone_names()})


@form_page
def schedule_delete(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Ask, then delete; the runs it started stay."""
    schedule = finding.schedule(pk, slug=slug)
    if request.method == "POST":
        schedules.delete(schedule)
        messages.success(request, f"Deleted a schedule of `{schedule.script.name}`.")
        return redirect("script-detail", slug)
    return render(request, "schedules/delete.html", {"schedule": schedule, "script": schedule.script})


def preview(schedule: Schedule, *, now: datetime) -> Preview:
    """What a stored schedule means; one that cannot be read says so."""
    try:
        return preview_strictly(schedule, now=now)
    except timing.TimingError:
        return Preview(sentence=schedule.describe(), moments=[], notes=[], zone="")


def preview_strictly(schedule: Schedule, *, now: datetime) -> Preview:
    """What a schedule means. Raises TimingError."""
    rhythm = schedule.timing if schedule.anchor else replace(schedule.timing, anchor=now)
    timing.check(rhythm)
    return Preview(
        sentence=timing.describe(rhythm),
        moments=timing.upcoming(rhythm, now, NEXT_MOMENTS),
        notes=timing.warnings(rhythm, now),
        zone=rhythm.timezone,
    )
