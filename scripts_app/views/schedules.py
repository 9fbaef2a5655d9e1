"""Schedules of a script: the tab, the builder, and the preview for the builder."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypedDict

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from scripts_app import forms, lookup
from scripts_app.forms import ScheduleBuilder
from scripts_app.forms.schedule_builder import simple_values
from scripts_app.models import Schedule, Script
from scripts_app.schedules import preview, schedules
from scripts_app.schedules.preview import Preview, PreviewDay, PreviewMoment
from scripts_app.timing import cron_expression
from scripts_app.timing import simple as timing_simple
from scripts_app.timing.rule import TimingError
from scripts_app.views import ledger, schedule_entries
from scripts_app.views.query_string import number_in
from tempo_site.accounts import rate_limits
from tempo_site.lib import zone
from tempo_site.pages import undo

form_page = require_http_methods(["GET", "HEAD", "POST"])


class BuilderContext(TypedDict):
    form: ScheduleBuilder
    cron_fields: str
    preview: Preview | None
    week: list[PreviewDay]
    is_busy_week: bool
    now: datetime
    zones: Sequence[str]


@require_safe
def script_schedule(request: HttpRequest, slug: str) -> HttpResponse:
    now = timezone.now()
    script = lookup.script_for_page(slug, now=now)
    entries = schedule_entries.entries_of(script, now=now)
    context: dict[str, Any] = {"script": script, "now": now, "entries": entries}
    if entries:
        rows = [entry.schedule for entry in entries]
        context |= ledger.ledger_context(script, rows, request.GET)
    else:
        form = ScheduleBuilder(instance=new_schedule(script), now=now)
        context |= builder_context(form, first_preview(form, now=now), now=now)
    return render(request, "scripts/schedule.html", context)


@form_page
def schedule_new(request: HttpRequest, slug: str) -> HttpResponse:
    now = timezone.now()
    script = lookup.script_for_page(slug, now=now)
    return schedule_page(request, new_schedule(script), "schedules/new.html", now=now)


@form_page
def schedule_edit(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    now = timezone.now()
    schedule = lookup.schedule(pk, slug=slug)
    schedule.script = lookup.script_for_page(slug, now=now)
    return schedule_page(request, schedule, "schedules/edit.html", now=now)


def schedule_page(
    request: HttpRequest, schedule: Schedule, template: str, *, now: datetime
) -> HttpResponse:
    script = schedule.script  # saving looks at the stored one, without what the page's head shows
    form = ScheduleBuilder(request.POST or None, instance=schedule, now=now)
    shown = None
    if not form.is_bound:
        shown = first_preview(form, now=now)
    elif "preview" in request.POST:
        shown = checked_preview(form, now=now)
    elif form.is_valid():
        stored = forms.attempt(form, lambda: schedules.save(schedule, now=now))
        if stored is not None:
            return report_saved(request, stored, now=now)
    builder = builder_context(form, shown, now=now)
    context = {"script": script, "schedule": schedule, **builder}
    return render(request, template, context)


def report_saved(request: HttpRequest, schedule: Schedule, *, now: datetime) -> HttpResponse:
    shown = preview.preview_of(schedule.timing, now=now, delay_s=schedule.delay_s)
    messages.success(request, f"Saved: {shown.sentence}.")
    for note in shown.notes:
        messages.warning(request, note)
    return redirect("script-schedule", schedule.script.slug)


@require_POST
def schedule_switch(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    schedule = lookup.schedule(pk, slug=slug)
    schedule.enabled = request.POST.get("enabled") == "1"
    try:
        schedules.save(schedule, now=timezone.now())
    except TimingError as refusal:  # a row that was broken from outside
        messages.error(request, str(refusal))
    else:
        done = "Enabled" if schedule.enabled else "Disabled"
        undo.offer(
            request,
            f"{done}: {schedule.describe()}.",
            url=reverse("schedule-switch", args=[slug, pk]),
            enabled="0" if schedule.enabled else "1",
        )
    return redirect("script-schedule", slug)


@form_page
def schedule_delete(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    schedule = lookup.schedule(pk, slug=slug)
    if request.method == "POST":
        schedules.delete(schedule)
        messages.success(request, f"Deleted a schedule of `{schedule.script.name}`.")
        return redirect("script-schedule", slug)
    context = {"schedule": schedule, "script": schedule.script}
    return render(request, "schedules/delete.html", context)


@require_POST
def schedule_preview(request: HttpRequest) -> HttpResponse:
    rate_limits.require(rate_limits.PREVIEW, rate_limits.address_of(request))
    now = timezone.now()
    form = ScheduleBuilder(request.POST, instance=posted_schedule(request.POST), now=now)
    shown = checked_preview(form, now=now)
    answer = preview_json(shown, form.instance.cron if shown else "")
    answer["errors"] = {}
    for name, sentences in form.errors.items():
        answer["errors"][name] = [str(sentence) for sentence in sentences]
    builder = builder_context(form, shown, now=now)
    answer["html"] = render_to_string("schedules/_preview.html", {**builder})
    return JsonResponse(answer)


def preview_json(shown: Preview | None, line: str) -> dict[str, Any]:
    simple = timing_simple.parse(line)
    answer: dict[str, Any] = {
        "sentence": "",
        "zone": "",
        "next": [],
        "warnings": [],
        "cron": line,
        "fields": cron_fields_of(line),
        "simple": simple_values(simple) if simple else None,
    }
    if shown is not None:
        answer["sentence"] = shown.sentence
        answer["zone"] = shown.zone
        answer["next"] = [moment_json(moment) for moment in shown.moments]
        answer["warnings"] = shown.notes
    return answer


def cron_fields_of(line: str) -> str:
    try:
        return cron_expression.expand_alias(line)
    except TimingError:
        return ""


def moment_json(moment: PreviewMoment) -> dict[str, str]:
    return {
        "local": moment.local.isoformat(),
        "relative": moment.relative,
        "utc": moment.utc.isoformat(),
    }


def new_schedule(script: Script) -> Schedule:
    return Schedule(script=script, kind=Schedule.Kind.CRON)


def posted_schedule(data: QueryDict) -> Schedule:
    """Return the schedule that a builder's form is about, stored or new. Raises Http404."""
    slug = data.get("script", "")
    pk = number_in(data, "schedule")
    if pk:
        return lookup.schedule(pk, slug=slug)
    return new_schedule(lookup.script(slug))


def builder_context(
    form: ScheduleBuilder, shown: Preview | None, *, now: datetime
) -> BuilderContext:
    week: list[PreviewDay] = []
    if shown and shown.moments:
        week = preview.week(form.instance.timing, now=now)
    return {
        "form": form,
        "cron_fields": cron_fields_of(str(form["cron"].value() or "")),
        "preview": shown,
        "week": week,
        "is_busy_week": any(week),
        "now": now,
        "zones": zone.names(),
    }


def checked_preview(form: ScheduleBuilder, *, now: datetime) -> Preview | None:
    schedule = form.instance

    def act() -> Preview:
        schedules.check(schedule, now=now)
        shown = preview.preview_of(schedule.timing, now=now, delay_s=schedule.delay_s)
        return with_crowd(shown, schedule)

    if not form.is_valid():
        return None
    return forms.attempt(form, act)


def first_preview(form: ScheduleBuilder, *, now: datetime) -> Preview | None:
    schedule = form.instance
    if schedule.pk is None and not schedule.cron:
        schedule.cron = form.initial["cron"]
    schedule.timezone = form.initial["timezone"]
    return schedule_entries.preview_if_readable(schedule, now=now)


def with_crowd(shown: Preview, schedule: Schedule) -> Preview:
    dues = [moment.utc for moment in shown.moments[:1]]
    crowd = preview.crowd(schedule.timing, dues, script_id=schedule.script_id)
    return replace(shown, notes=[*shown.notes, *crowd])
