"""All scripts: folders, search and filters in the address, and what is done to several at once."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.db import OperationalError
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from runs_app.history import recent_runs
from runs_app.history.recent_runs import Strip
from runs_app.models import Run
from runs_app.states import Trigger
from runs_app.triggers import triggers
from scripts_app import folders, lookup, script_templates, scripts
from scripts_app.environments import environments
from scripts_app.models import Script
from tempo_site import auth

STATES = {
    "enabled": "Enabled",
    "disabled": "Disabled",
    "failing": "Failing",
    "broken": "Environment broken",
}
ACTS = {"enable": "Enabled", "disable": "Disabled", "run": "Started", "move": "Moved"}
NAMED = 3  # refusals told one by one; the rest is a number


@require_http_methods(["GET", "HEAD", "POST"])
def script_list(request: auth.SignedInRequest) -> HttpResponse:
    """All scripts by folder; `?folder=`, `?state=` and `?q=` narrow it. A POST does `act` to each `slug` of it."""
    if request.method == "POST":
        act_on_several(request)
        return redirect(request.get_full_path())
    chosen, tree = chosen_of(request.GET), folders.tree()
    rows = list(with_next_and_last(filter_scripts(chosen)))
    strip_of = recent_runs.recent_runs_of(script.pk for script in rows)
    told = Run.objects.only("status", "started_at", "created_at")
    last_runs = told.in_bulk([script.last_run_id for script in rows if script.last_run_id])
    context = {
        "now": timezone.now(),
        "rows": [
            (script, last_runs.get(script.last_run_id), strip_of.get(script.pk, Strip()))
            for script in rows
        ],
        "folders": tree,
        "chosen_folder": next((branch for branch in tree if branch.path == chosen["folder"]), None),
        "has_deleted": Script.objects.restorable().exists(),
        "states": STATES,
        "featured": script_templates.featured_templates(),
        "is_narrowed": any(chosen.values()),
        "unheard_state": request.GET.get("state", "") if not chosen["state"] else "",
        **chosen,
    }
    return render(request, "scripts/list.html", context)


def chosen_of(query: QueryDict) -> dict[str, str]:
    """What the address asks for; a state nobody has heard of narrows nothing."""
    state = query.get("state", "")
    words = query.get("q", "").strip()
    return {
        "folder": query.get("folder", ""),
        "words": words,
        "state": state if state in STATES else "",
    }


def filter_scripts(chosen: dict[str, str]) -> QuerySet[Script]:
    """The present scripts that are asked for."""
    rows: QuerySet[Script] = Script.objects.present()
    if folder := chosen["folder"]:
        rows = rows.filter(folders.within(folder, field="folder__path"))
    if words := chosen["words"]:
        rows = rows.filter(Q(name__icontains=words) | Q(slug__icontains=words))
    if chosen["state"] == "failing":
        return recent_runs.failing(rows)
    if chosen["state"] == "broken":
        return rows.filter(environments.in_trouble())
    return rows.filter(enabled=chosen["state"] == "enabled") if chosen["state"] else rows


def with_next_and_last(rows: QuerySet[Script]) -> Any:
    """Add what `finding.with_next` does and `last_run_id`, folder and environment, without a query a row."""
    newest = Run.objects.scripts().filter(script=OuterRef("pk")).newest_first().values("pk")[:1]
    heavy = [
        f"{name}__{field}"
        for name in ("environment", "wanted_environment")
        for field in ("lock", "requirements")
    ]
    related = rows.select_related("folder", "environment", "wanted_environment").defer(*heavy)
    return (
        lookup.with_next(related)
        .annotate(last_run_id=Subquery(newest))
        .order_by("folder__path", "name", "pk")
    )


def act_on_several(request: auth.SignedInRequest) -> None:
    """Enable, disable, start or move each chosen script; one that refuses does not stop the others."""
    act, slugs = request.POST.get("act", ""), request.POST.getlist("slug")
    if act not in ACTS:
        messages.error(request, "Nothing was done: choose Run, Enable, Disable or Move.")
        return
    if not slugs:
        messages.warning(request, "No script was chosen: tick some, then press the button again.")
        return
    verb = verbs(request, now=timezone.now())[act]
    done, refusals = 0, []
    for script in Script.objects.present().filter(slug__in=slugs):
        try:
            verb(script)
        except (triggers.Refused, scripts.ScriptError) as refusal:
            refusals.append(f"`{script.name}`: {refusal}")
        except (
            OperationalError
        ):  # the database was locked for too long: the others may have more luck
            refusals.append(f"`{script.name}`: the database was busy. Try again.")
        else:
            done += 1
    report(request, ACTS[act], done, [*refusals, *gone(len(slugs) - done - len(refusals))])


def verbs(request: auth.SignedInRequest, *, now: datetime) -> dict[str, Callable[[Script], object]]:
    """What each act does to a script."""
    by, folder = request.user, request.POST.get("to", "")
    return {
        "enable": lambda script: scripts.update(script, by=by, now=now, enabled=True),
        "disable": lambda script: scripts.update(script, by=by, now=now, enabled=False),
        "run": lambda script: triggers.start(
            script, trigger=Trigger.MANUAL, by=by.get_username(), now=now
        ),
        "move": lambda script: scripts.update(script, by=by, now=now, folder=folder),
    }


def gone(count: int) -> list[str]:
    """A sentence for chosen scripts that are not there any more."""
    return (
        [f"{count} of them {'was' if count == 1 else 'were'} deleted meanwhile."]
        if count > 0
        else []
    )


def report(request: HttpRequest, did: str, done: int, refusals: list[str]) -> None:
    """Say what was done and what was not."""
    if done:
        messages.success(request, f"{did} {done} script{'' if done == 1 else 's'}.")
    for sentence in refusals[:NAMED]:
        messages.error(request, sentence)
    if len(refusals) > NAMED:
        messages.error(request, f"{len(refusals) - NAMED} more were refused.")
