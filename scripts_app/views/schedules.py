"""Schedules of a script: its tab, the builder, the preview that the builder asks for."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.db.models import OuterRef, Subquery
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from runs_app.models import Run
from scripts_app import forms, lookup
from scripts_app.forms import ScheduleBuilder
from scripts_app.forms.schedule_builder import MISSED, OVERLAP, simple_values
from scripts_app.models import Schedule, Script
from scripts_app.schedules import preview, schedules
from scripts_app.schedules.preview import Preview
from scripts_app.timing import cron, rule
from scripts_app.timing import simple as timing_simple
from scripts_app.timing.rule import TimingError
from scripts_app.views import ledger
from tempo_site.lib import humanize, zone

form_page = require_http_methods(["GET", "HEAD", "POST"])


@dataclass(frozen=True, kw_only=True)
class ScheduleEntry:
    """One schedule in its script's list; without a preview when it cannot be read.

    `next_at` is the next moment that will start something, `stale_moments` how many passed since its last success.
    """

    schedule: Schedule
    preview: Preview | None
    last_run: Run | None
    is_paused: bool
    next_at: datetime | None
    stale_moments: int
    overlap: str
    missed: str
    retries: str


@require_safe
def script_schedule(request: HttpRequest, slug: str) -> HttpResponse:
    """Show when a script runs; one that has no schedule is offered the builder at once."""
    script, now = lookup.script(slug), timezone.now()
    entries = entries_of(script, now=now)
    context: dict[str, Any] = {"script": script, "now": now, "entries": entries}
    if entries:
        context |= ledger.card(script, [entry.schedule for entry in entries], request.GET)
    else:
        form = ScheduleBuilder(instance=new_schedule(script), now=now)
        context |= builder(form, shown_first(form, now=now), now=now)
    return render(request, "scripts/schedule.html", context)


@form_page
def schedule_new(request: HttpRequest, slug: str) -> HttpResponse:
    """Give a script a schedule."""
    return schedule_page(request, new_schedule(lookup.script(slug)), "schedules/new.html")


@form_page
def schedule_edit(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Change a schedule."""
    schedule = lookup.schedule(pk, slug=slug)
    schedule.script = lookup.script(slug)  # with all that its page's head shows
    return schedule_page(request, schedule, "schedules/edit.html")


def schedule_page(request: HttpRequest, schedule: Schedule, template: str) -> HttpResponse:
    """Show the builder, preview what it says, or save it."""
    now = timezone.now()
    form = ScheduleBuilder(request.POST or None, instance=schedule, now=now)

    def save() -> Schedule:
        return schedules.save(schedule, now=now)

    if not form.is_bound:
        shown = shown_first(form, now=now)
    elif "preview" in request.POST:
        shown = checked(form, now=now)
    else:
        shown = None
        if form.is_valid() and forms.attempt(form, save) is not None:
            return saved(request, schedule, now=now)
    context = {"script": schedule.script, "schedule": schedule, **builder(form, shown, now=now)}
    return render(request, template, context)


def saved(request: HttpRequest, schedule: Schedule, *, now: datetime) -> HttpResponse:
    """Say what was saved and what to beware of."""
    shown = preview.preview_of(schedule.timing, now=now, delay_s=schedule.delay_s)
    messages.success(request, f"Saved: {shown.sentence}.")
    for note in shown.notes:
        messages.warning(request, note)
    return redirect("script-schedule", schedule.script.slug)


@require_POST
def schedule_switch(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Enable or disable one schedule (`enabled=1` or `0`)."""
    schedule = lookup.schedule(pk, slug=slug)
    schedule.enabled = request.POST.get("enabled") == "1"
    try:
        schedules.save(schedule, now=timezone.now())
    except TimingError as refusal:  # a row that was broken from outside
        messages.error(request, str(refusal))
    else:
        messages.success(
            request, f"{'Enabled' if schedule.enabled else 'Disabled'}: {schedule.describe()}."
        )
    return redirect("script-schedule", slug)


@form_page
def schedule_delete(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Ask, then delete; the runs it started stay."""
    schedule = lookup.schedule(pk, slug=slug)
    if request.method == "POST":
        schedules.delete(schedule)
        messages.success(request, f"Deleted a schedule of `{schedule.script.name}`.")
        return redirect("script-schedule", slug)
    return render(
        request, "schedules/delete.html", {"schedule": schedule, "script": schedule.script}
    )


@require_POST
def schedule_preview(request: HttpRequest) -> HttpResponse:
    """Say what the builder's form would save, as JSON, and as the HTML that shows it; nothing is stored."""
    now = timezone.now()
    form = ScheduleBuilder(request.POST, instance=posted_schedule(request.POST), now=now)
    shown = checked(form, now=now)
    line = form.instance.cron if shown else ""
    simple = timing_simple.parse(line)
    answer = {
        "sentence": shown.sentence if shown else "",
        "zone": shown.zone if shown else "",
        "next": [moment_json(moment) for moment in shown.moments] if shown else [],
        "warnings": shown.notes if shown else [],
        "cron": line,
        "fields": fields_of(line),
        "simple": simple_values(simple) if simple else None,
        "errors": {name: [str(error) for error in errors] for name, errors in form.errors.items()},
        "html": render_to_string("schedules/_preview.html", builder(form, shown, now=now)),
    }
    return JsonResponse(answer)


def fields_of(line: str) -> str:
    """A cron line's fields as the boxes show them; "" when there are none to show."""
    try:
        return cron.expand_alias(line)
    except TimingError:
        return ""


def moment_json(moment: preview.PreviewMoment) -> dict[str, str]:
    """A due moment on the wire."""
    return {
        "local": moment.local.isoformat(),
        "relative": moment.relative,
        "utc": moment.utc.isoformat(),
    }


def new_schedule(script: Script) -> Schedule:
    """A schedule to be filled in."""
    return Schedule(script=script, kind=Schedule.Kind.CRON)


def posted_schedule(data: QueryDict) -> Schedule:
    """The schedule that a builder's form is about. Raises Http404."""
    slug, pk = data.get("script", ""), data.get("schedule", "")
    if pk.isascii() and pk.isdecimal() and len(pk) <= ledger.MAX_ID_DIGITS:
        return lookup.schedule(int(pk), slug=slug)
    return new_schedule(lookup.script(slug))


def builder(form: ScheduleBuilder, shown: Preview | None, *, now: datetime) -> dict[str, Any]:
    """What the builder's templates need."""
    week = preview.week(form.instance.timing, now=now) if shown and shown.moments else []
    return {
        "form": form,
        "cron_fields": fields_of(str(form["cron"].value() or "")),
        "preview": shown,
        "week": week,
        "is_busy_week": any(week),
        "now": now,
        "zones": zone.names(),
    }


def checked(form: ScheduleBuilder, *, now: datetime) -> Preview | None:
    """What a filled form means; what saving it would refuse becomes its errors."""
    schedule = form.instance

    def act() -> Preview:
        schedules.check(schedule, now=now)
        return with_crowd(
            preview.preview_of(schedule.timing, now=now, delay_s=schedule.delay_s), schedule
        )

    return forms.attempt(form, act) if form.is_valid() else None


def shown_first(form: ScheduleBuilder, *, now: datetime) -> Preview | None:
    """What the form means before anything was typed: its schedule as stored, or the form's suggestion."""
    schedule = form.instance
    schedule.cron = schedule.cron or (form.initial["cron"] if schedule.pk is None else "")
    schedule.timezone = form.initial["timezone"]
    return readable(schedule, now=now)


def readable(schedule: Schedule, *, now: datetime) -> Preview | None:
    """What a stored schedule means; None when it was broken from outside."""
    try:
        return preview.preview_of(schedule.timing, now=now, delay_s=schedule.delay_s)
    except TimingError:
        return None


def with_crowd(shown: Preview, schedule: Schedule) -> Preview:
    """Add a word when many other scripts start at the very next moment."""
    dues = [moment.utc for moment in shown.moments[:1]]
    return replace(
        shown,
        notes=[*shown.notes, *preview.crowd(schedule.timing, dues, script_id=schedule.script_id)],
    )


def entries_of(script: Script, *, now: datetime) -> list[ScheduleEntry]:
    """A script's schedules as its tab lists them, each with its newest run: as many queries for one as for many."""
    newest = (
        Run.objects.filter(schedule=OuterRef("pk"), due_at__isnull=False)
        .order_by("-due_at")
        .values("pk")[:1]
    )
    rows = list(script.schedules.select_related("alarm", "script"))
    ids = dict(
        script.schedules.annotate(newest_run=Subquery(newest)).values_list("pk", "newest_run")
    )
    runs = Run.objects.in_bulk([pk for pk in ids.values() if pk])
    return [entry(row, runs.get(ids.get(row.pk)), now=now) for row in rows]


def entry(schedule: Schedule, last_run: Run | None, *, now: datetime) -> ScheduleEntry:
    """One schedule with its words."""
    shown = readable(schedule, now=now)
    is_paused = schedule.is_paused(now)
    return ScheduleEntry(
        schedule=schedule,
        preview=shown,
        last_run=last_run,
        is_paused=is_paused,
        next_at=next_behind_pause(schedule) if is_paused and shown else schedule.next_at,
        stale_moments=stale_moments(schedule, now=now) if shown else 0,
        overlap=overlap_words(schedule),
        missed=missed_words(schedule),
        retries=retry_words(schedule),
    )


def next_behind_pause(schedule: Schedule) -> datetime | None:
    """The first moment that its pause lets through; None where nothing may fire anyway."""
    if schedule.next_at is None or schedule.paused_until is None:
        return None
    first = max(schedule.next_at, schedule.paused_until)
    return rule.next_after(schedule.timing, first - timedelta(microseconds=1))


def stale_moments(schedule: Schedule, *, now: datetime) -> int:
    """How many moments passed since its last success, when that are too many; else 0."""
    if schedule.stale_since is None:
        return 0
    return rule.count_between(schedule.timing, schedule.last_success_at or schedule.created_at, now)


def overlap_words(schedule: Schedule) -> str:
    """What happens while a run is still going."""
    said = dict(OVERLAP).get(schedule.overlap, schedule.overlap)
    return (
        f"{said}, at most {schedule.max_parallel} at once"
        if schedule.overlap == Schedule.Overlap.PARALLEL
        else said
    )


def missed_words(schedule: Schedule) -> str:
    """What happens to moments that the service missed."""
    said = dict(MISSED).get(schedule.missed, schedule.missed)
    return (
        f"{said}, at most {schedule.missed_cap}" if schedule.missed == Schedule.Missed.ALL else said
    )


def retry_words(schedule: Schedule) -> str:
    """What happens after a failure."""
    if not schedule.retries:
        return "Wait for the next moment"
    tries = f"Up to {schedule.retries} further tr{'ies' if schedule.retries > 1 else 'y'}"
    wait = f"{tries}, each {humanize.whole_span(schedule.retry_delay_s)} after the end of the one before"
    if schedule.retry_backoff == Schedule.Backoff.FIXED or schedule.retries == 1:
        return wait
    first, longest = map(humanize.whole_span, (schedule.retry_delay_s, schedule.retry_max_delay_s))
    return f"{tries}, the first after {first}, then twice as long each time, at most {longest}"
