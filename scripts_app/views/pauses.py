"""Pausing: a schedule from the tab of the script, all schedules from the dashboard."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST

from scripts_app import forms, lookup
from scripts_app.forms import PauseForm
from scripts_app.models import Pause
from scripts_app.schedules import global_pause, outlook, schedules
from scripts_app.timing.rule import TimingError
from tempo_site import auth
from tempo_site.lib import zone as zones
from tempo_site.pages import undo

form_page = require_http_methods(["GET", "HEAD", "POST"])


@form_page
def pause_all(request: auth.SignedInRequest) -> HttpResponse:
    now, by = timezone.now(), request.user.get_username()
    form = PauseForm(request.POST or None, now=now, zone=zones.current(), may_be_open=True)

    was_paused = global_pause.current_pause(now) is not None

    def act() -> Pause:
        return global_pause.pause_all(until=form.cleaned_data["until"], by=by, now=now)

    if form.is_bound and form.is_valid():
        pause = forms.attempt(form, act)
        if pause is not None:
            end = end_of_pause(pause.until, form.zone)
            sentence = f"All schedules are paused {end}."
            before = page_before(request)
            say_paused(request, sentence, was_paused, resume=reverse("resume-all"), next=before)
            return back(request)
    before = page_before(request)
    cancel = before or reverse("dashboard")
    context = {"form": form, "now": now, "next": before, "cancel": cancel}
    return render(request, "schedules/pause_all.html", context)


@require_POST
def resume_all(request: auth.SignedInRequest) -> HttpResponse:
    if global_pause.resume_all(by=request.user.get_username(), now=timezone.now()):
        messages.success(
            request, "Schedules start runs again. What was due meanwhile is recorded as skipped."
        )
    else:
        messages.info(request, "Schedules were not paused any more.")
    return back(request)


@form_page
def schedule_pause(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    schedule, now = lookup.schedule(pk, slug=slug), timezone.now()
    zone = forms.zone_of(schedule.timezone) or zones.current()
    form = PauseForm(request.POST or None, now=now, zone=zone, may_be_open=False)
    if form.is_bound and form.is_valid():
        was_paused = schedule.is_paused(now)
        schedule.paused_until = form.cleaned_data["until"]
        try:
            schedules.save(schedule, now=now)
        except TimingError as refusal:
            form.add_error("until" if refusal.field == "paused_until" else None, str(refusal))
        else:
            end = end_of_pause(schedule.paused_until, zone)
            sentence = f"Paused {end}: {schedule.describe()}."
            resume = reverse("schedule-resume", args=[slug, pk])
            say_paused(request, sentence, was_paused, resume=resume)
            return redirect("script-schedule", slug)
    context = {"form": form, "schedule": schedule, "script": lookup.script(slug), "now": now}
    return render(request, "schedules/pause.html", context)


@require_POST
def schedule_skip(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    schedule, now = lookup.schedule(pk, slug=slug), timezone.now()
    try:
        outlook.skip_next(schedule, now=now)
    except TimingError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, f"The next start is skipped: {schedule.describe()}.")
    return redirect("script-schedule", slug)


@require_POST
def schedule_resume(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    schedule = lookup.schedule(pk, slug=slug)
    schedule.paused_until = None
    try:
        schedules.save(schedule, now=timezone.now())
    except TimingError as refusal:  # a row that was broken from outside
        messages.error(request, str(refusal))
    else:
        messages.success(request, f"Resumed: {schedule.describe()}.")
    return redirect("script-schedule", slug)


def say_paused(
    request: HttpRequest, sentence: str, was_paused: bool, *, resume: str, next: str = ""
) -> None:
    if was_paused:  # resuming would not bring the pause of before back
        messages.success(request, sentence)
    else:
        undo.offer(request, sentence, url=resume, next=next)


def end_of_pause(until: datetime | None, zone: ZoneInfo) -> str:
    if until is None:
        return "until further notice"
    return f"until {until.astimezone(zone):%Y-%m-%d %H:%M %Z}"


def page_before(request: HttpRequest) -> str:
    named = request.POST.get("next") or request.GET.get("next") or ""
    is_own = url_has_allowed_host_and_scheme(named, allowed_hosts=None)
    if named.startswith("/") and is_own:
        return named
    return ""


def back(request: HttpRequest) -> HttpResponse:
    return redirect(page_before(request) or "dashboard")
