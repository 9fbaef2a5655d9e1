"""The schedules of all scripts: a list, the coming week by the hour, and acts on several at once."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any, TypedDict

from django.contrib import messages
from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from scripts_app import bulk
from scripts_app.forms import PauseForm
from scripts_app.models import Schedule
from scripts_app.schedules import agenda, all_schedules, outlook
from scripts_app.schedules.agenda import Agenda, AgendaDay, Minute
from scripts_app.schedules.all_schedules import ScheduleRow
from scripts_app.timing.rule import TimingError
from scripts_app.views.query_string import part_shown
from tempo_site.lib import zone

ACTS = {
    "pause": "Paused",
    "resume": "Resumed",
    "skip": "Skipped the next start of",
    "enable": "Enabled",
    "disable": "Disabled",
    "move": "Moved",
}
PAGE = 100
MAX_MINUTES_SHOWN = 60  # of a day's agenda


class ScheduleListContext(TypedDict):
    now: datetime
    page: "Page[ScheduleRow]"
    shown: str
    agenda: Agenda
    day: AgendaDay
    minutes: list[Minute]
    more_minutes: int
    words: str
    state: str
    states: dict[str, str]
    is_narrowed: bool


@require_http_methods(["GET", "HEAD", "POST"])
def schedule_list(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    if request.method == "POST":
        act_on_chosen(request, now=now)
        return redirect(request.get_full_path())
    return render(request, "schedules/list.html", schedule_list_context(request.GET, now=now))


def schedule_list_context(query: QueryDict, *, now: datetime) -> ScheduleListContext:
    words, state = query.get("q", "").strip(), query.get("state", "")
    week = agenda.week(now, zone.current())
    day = chosen_day(week, query.get("day", ""))
    rows = all_schedules.rows(words, state, now=now)
    page = Paginator(rows, PAGE).get_page(query.get("page", ""))
    return {
        "now": now,
        "page": page,
        "shown": part_shown(page),
        "agenda": week,
        "day": day,
        "minutes": day.minutes[:MAX_MINUTES_SHOWN],
        "more_minutes": len(day.minutes[MAX_MINUTES_SHOWN:]),
        "words": words,
        "state": state,
        "states": all_schedules.STATES,
        "is_narrowed": bool(words or state),
    }


def chosen_day(week: Agenda, text: str) -> AgendaDay:
    """Return the day that was asked for, else today."""
    try:
        asked = date.fromisoformat(text)
    except ValueError:
        return week.days[0]
    return next((day for day in week.days if day.date == asked), week.days[0])


def act_on_chosen(request: HttpRequest, *, now: datetime) -> None:
    act, pks = request.POST.get("act", ""), request.POST.getlist("schedule")
    if act not in ACTS:
        messages.error(
            request, "Nothing was done: choose Pause, Resume, Skip next, Enable, Disable or Move."
        )
        return
    if not pks:
        messages.warning(request, "No schedule was chosen: tick some, then press the button again.")
        return
    try:
        verb = verb_of(act, request.POST, now=now)
    except TimingError as refusal:
        messages.error(request, f"Nothing was done: {refusal}")
        return
    outcome = bulk.act_on_each(all_schedules.chosen(pks), verb, chosen=len(pks))
    were = "was" if outcome.gone == 1 else "were"
    bulk.report(
        request,
        outcome,
        done=f"{ACTS[act]} {bulk.count_of_schedules(len(outcome.done))}.",
        gone=f"{outcome.gone} of them {were} deleted meanwhile.",
        name_of=name_of_script,
    )


def verb_of(act: str, data: QueryDict, *, now: datetime) -> Callable[[Schedule], object]:
    """Return what is done to each schedule. Raise TimingError where the form does not say how."""
    if act == "move":
        minutes = minutes_of(data)
        return lambda schedule: all_schedules.move(schedule, minutes, now=now)
    if act == "skip":
        return lambda schedule: outlook.skip_next(schedule, now=now)
    changes: dict[str, dict[str, Any]] = {
        "pause": {"paused_until": until_of(data, now=now) if act == "pause" else None},
        "resume": {"paused_until": None},
        "enable": {"enabled": True},
        "disable": {"enabled": False},
    }
    return lambda schedule: all_schedules.change(schedule, now=now, **changes[act])


def until_of(data: QueryDict, *, now: datetime) -> datetime:
    form = PauseForm(data, now=now, zone=zone.current(), may_be_open=False)
    if not form.is_valid():
        raise TimingError("until", "say for how long")
    until: datetime = form.cleaned_data["until"]
    return until


def minutes_of(data: QueryDict) -> int:
    try:
        return int(data.get("minutes", "")[:6])
    except ValueError:
        raise TimingError("minutes", "say by how many minutes") from None


def name_of_script(schedule: Schedule) -> str:
    return schedule.script.name
