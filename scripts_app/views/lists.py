"""All scripts: folders, search and filters in the address, and acts on several scripts at once."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TypedDict

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.paginator import Page
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from runs_app.exports import lists, table
from runs_app.history import overview
from runs_app.history.overview import ListedScript, ScriptFilter
from runs_app.states import Trigger
from runs_app.triggers import confirmation, triggers
from scripts_app import bulk, folders, lookup, script_templates, scripts, stars
from scripts_app.folders import Branch
from scripts_app.forms import PauseForm
from scripts_app.models import Script
from scripts_app.schedules import schedules
from scripts_app.script_templates import ScriptTemplate
from scripts_app.views.query_string import part_shown
from tempo_site import auth
from tempo_site.pages import undo

ACTS = {
    "enable": "Enabled",
    "disable": "Disabled",
    "run": "Started",
    "move": "Moved",
    "pause": "Paused the schedules of",
    "resume": "Resumed the schedules of",
}


class ScriptListContext(TypedDict):
    now: datetime
    page: "Page[ListedScript]"
    shown: str
    folders: list[Branch]
    chosen_folder: Branch | None
    has_deleted: bool
    states: dict[str, str]
    featured: list[ScriptTemplate]
    is_narrowed: bool
    unheard_state: str
    folder: str
    words: str
    state: str
    tag: str
    tags: list[str]
    sort: str
    query: str


@require_http_methods(["GET", "HEAD", "POST"])
def script_list(request: auth.SignedInRequest) -> HttpResponse:
    if request.method == "POST":
        act_on_one(request) if "one" in request.POST else act_on_chosen(request)
        return redirect(request.get_full_path())
    context = script_list_context(request.GET, user=request.user, now=timezone.now())
    return render(request, "scripts/list.html", context)


@require_safe
def script_export(request: HttpRequest, suffix: str) -> HttpResponse:
    rows = overview.listed_scripts(script_filter(request.GET), now=timezone.now())
    return table.response(lists.table_of_scripts(rows), suffix)


@require_safe
def schedule_export(request: HttpRequest, suffix: str) -> HttpResponse:
    return table.response(lists.table_of_schedules(now=timezone.now()), suffix)


def script_filter(query: QueryDict, user: User | None = None) -> ScriptFilter:
    state = query.get("state", "")
    return ScriptFilter(
        tag=query.get("tag", ""),
        sort=query.get("sort", ""),
        user=user,
        folder=query.get("folder", ""),
        words=query.get("q", "").strip(),
        state=state if state in overview.STATES else "",
    )


def script_list_context(query: QueryDict, *, user: User, now: datetime) -> ScriptListContext:
    chosen = script_filter(query, user)
    unknown_state = "" if chosen.state else query.get("state", "")
    tree = folders.tree()
    chosen_folder = next((branch for branch in tree if branch.path == chosen.folder), None)
    page = overview.script_page(chosen, query.get("page", ""), now=now)
    return {
        "now": now,
        "page": page,
        "shown": part_shown(page),
        "folders": tree,
        "chosen_folder": chosen_folder,
        "has_deleted": Script.objects.restorable().exists(),
        "states": overview.STATES,
        "featured": script_templates.featured_templates(),
        "is_narrowed": chosen.is_narrow,
        "unheard_state": unknown_state,
        "folder": chosen.folder,
        "words": chosen.words,
        "state": chosen.state,
        "tag": chosen.tag,
        "tags": overview.all_tags(),
        "sort": chosen.sort,
        "query": query.urlencode(),
    }


def act_on_one(request: auth.SignedInRequest) -> None:
    act, _, slug = request.POST["one"].partition(" ")
    script = lookup.script(slug)
    if act == "star":
        stars.switch(script, by=request.user)
    elif act == "enable":
        scripts.update(script, by=request.user, now=timezone.now(), enabled=True)
        switch = reverse("script-switch", args=[slug])
        undo.offer(request, f"`{script.name}` is enabled.", url=switch, enabled="0")


def act_on_chosen(request: auth.SignedInRequest) -> None:
    act = request.POST.get("act", "")
    slugs = request.POST.getlist("slug")
    if act not in ACTS:
        messages.error(
            request, "Nothing was done: choose Run, Enable, Disable, Pause, Resume or Move."
        )
        return
    if not slugs:
        messages.warning(request, "No script was chosen: tick some, then press the button again.")
        return
    verb = verb_of(act, request, now=timezone.now())
    rows = Script.objects.present().filter(slug__in=slugs)
    outcome = bulk.act_on_each(rows, verb, chosen=len(slugs))
    were = "was" if outcome.gone == 1 else "were"
    bulk.report(
        request,
        outcome,
        done=f"{ACTS[act]} {bulk.count_of_scripts(len(outcome.done))}.",
        gone=f"{outcome.gone} of them {were} deleted meanwhile.",
    )


def verb_of(
    act: str, request: auth.SignedInRequest, *, now: datetime
) -> Callable[[Script], object]:
    by = request.user

    def switch(script: Script, *, enabled: bool) -> None:
        scripts.update(script, by=by, now=now, enabled=enabled)

    def move(script: Script) -> None:
        scripts.update(script, by=by, now=now, folder=request.POST.get("to", ""))

    def pause(script: Script, *, until: datetime | None) -> None:
        for schedule in script.schedules.filter(enabled=True):
            schedule.paused_until = until
            schedules.save(schedule, now=now)

    def run(script: Script) -> None:
        confirmation.require(script)
        triggers.start(script, trigger=Trigger.MANUAL, by=by.get_username(), now=now)

    verbs: dict[str, Callable[[Script], object]] = {
        "enable": partial(switch, enabled=True),
        "disable": partial(switch, enabled=False),
        "run": run,
        "move": move,
        "pause": partial(pause, until=PauseForm.end_of(request.POST.get("length", ""), now=now)),
        "resume": partial(pause, until=None),
    }
    return verbs[act]
