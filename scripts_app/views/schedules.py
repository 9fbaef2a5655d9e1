"""Schedules of a script: its tab, the form, the preview."""

from dataclasses import dataclass, replace
from datetime import datetime

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from scripts_app import finding, forms, schedules, timing
from scripts_app.forms import ScheduleForm
from scripts_app.models import Schedule

NEXT_MOMENTS = 5

form_page = require_http_methods(["GET", "HEAD", "POST"])


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a rhythm means: a sentence, the next due moments, notes about the clock's changes."""

    sentence: str
    moments: list[datetime]
    notes: list[str]
    zone: str


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
