"""Why runs failed: the card on a run's page, what its buttons do, and the page of failures grouped."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from runs_app import lookup
from runs_app.exports import lists, table
from runs_app.failures import changes, ends, groups
from runs_app.failures.actions import Action
from runs_app.failures.changes import Changes
from runs_app.failures.groups import FailureRow
from runs_app.models import FailureGroup, Run
from runs_app.states import Trigger
from runs_app.triggers import remedies, reruns, triggers
from scripts_app import lookup as scripts_lookup
from scripts_app import scripts
from scripts_app.models import Draft
from tempo_site import auth

PAGE = 50
CODE = "main.py"


@dataclass(frozen=True, kw_only=True)
class Button:
    """A link, or with `is_post` a form of one button."""

    label: str
    url: str
    is_post: bool
    hint: str = ""


class Card(TypedDict):
    """Why a run failed, as its page shows it, or what a run logged that succeeded; `place_url` is "" where no page
    shows the file.
    """

    heading: str
    is_failure: bool
    explanation: dict[str, Any]
    place_url: str
    changes: Changes | None
    group: FailureGroup | None
    buttons: list[Button]


class FailureListContext(TypedDict):
    now: datetime
    rows: list[FailureRow]
    script: str
    older: str
    before: str
    query: str


def card_of_run(run: Run) -> Card | None:
    explanation = ends.explanation_of_run(run)
    if explanation is None:
        return _note_of_run(run)
    group = None
    if run.fingerprint:
        rows = FailureGroup.objects.filter(script=run.script_id, fingerprint=run.fingerprint)
        group = rows.first()
    return {
        "heading": "Why it failed",
        "is_failure": True,
        "explanation": explanation,
        "place_url": _place_url(run, explanation["frame"]),
        "changes": changes.changes_of_run(run),
        "group": group,
        "buttons": _buttons(run, explanation["actions"]),
    }


def _note_of_run(run: Run) -> Card | None:
    explanation = ends.logged_error_of_run(run)
    if explanation is None:
        return None
    return {
        "heading": "It succeeded, but logged an error",
        "is_failure": False,
        "explanation": explanation,
        "place_url": _place_url(run, explanation["frame"]),
        "changes": None,
        "group": None,
        "buttons": [],
    }


def _place_url(run: Run, frame: dict[str, Any] | None) -> str:
    # The editor has the version of today alone, and only where nobody has typed since.
    script = run.script
    if frame is None or script is None or script.deleted_at or run.version is None:
        return ""
    if frame["file"] != CODE:
        return reverse("script-file-list", args=[script.slug])
    line = frame["line"]
    has_draft = Draft.objects.filter(script=script).exists()
    if run.version_id == script.version_id and not has_draft:
        return f"{reverse('script-edit', args=[script.slug])}#L{line}"
    url = reverse("version-detail", args=[script.slug, run.version.number])
    return f"{url}?line={line}#L{line}"


def _buttons(run: Run, asked_for: list[Action]) -> list[Button]:
    found = []
    for action in remedies.actions_of_run(run, asked_for):
        button = _button(run, action)
        if button:
            found.append(button)
    return found


def _button(run: Run, action: Action) -> Button | None:
    assert run.script
    slug, label = run.script.slug, action["label"]
    match action["kind"]:
        case "add_package":
            url = reverse("run-add-package", args=[run.pk])
            return Button(label=label, url=url, is_post=True)
        case "raise_limit":
            url = f"{reverse('script-settings', args=[slug])}#id_{action['limit']}"
            return Button(label=label, url=url, is_post=False)
        case "restore_version":
            url = reverse("version-restore", args=[slug, action["version"]])
            hint = f"Makes a new version that says what v{action['version']} says; settings stay"
            return Button(label=label, url=url, is_post=True, hint=hint)
        case "use_tmpdir":
            url = reverse("run-use-tmpdir", args=[run.pk])
            hint = "Changes the paths in a draft, for you to look at"
            return Button(label=label, url=url, is_post=True, hint=hint)
        case "rerun":
            return Button(label=label, url=reverse("run-rerun", args=[run.pk]), is_post=True)
    return None


@require_POST
def run_add_package(request: auth.SignedInRequest, pk: int) -> HttpResponse:
    """Add the package that a failed run lacked to its script, as a new version."""
    run = lookup.run(pk)
    explanation = ends.explanation_of_run(run) or {"actions": []}
    packages = [each["package"] for each in explanation["actions"] if "package" in each]
    if run.script is None or not packages:
        messages.error(request, f"{run} lacked no package that Tempo knows.")
        return redirect("run-detail", pk)
    script = scripts_lookup.script(run.script.slug)
    try:
        version = scripts.add_requirement(script, packages[0], by=request.user, now=timezone.now())
    except scripts.ScriptError as refusal:
        messages.error(request, str(refusal))
        return redirect("run-detail", pk)
    sentence = f"`{packages[0]}` was added in {version}. Its environment is being built."
    messages.success(request, sentence)
    return redirect("script-environment", script.slug)


@require_POST
def run_use_tmpdir(request: auth.SignedInRequest, pk: int) -> HttpResponse:
    """Put the paths of a script that lie below `/tmp` below `$TMPDIR`, in a draft, and open the editor."""
    run = lookup.run(pk)
    script = scripts_lookup.script(run.script.slug if run.script else "")
    try:
        is_changed = scripts.use_own_tmpdir(script, by=request.user, now=timezone.now())
    except scripts.ScriptError as refusal:
        messages.error(request, str(refusal))
        return redirect("run-detail", pk)
    if is_changed:
        sentence = (
            "The paths below `/tmp` are below `$TMPDIR` in this draft. Save a version to use it."
        )
        messages.success(request, sentence)
    else:
        sentence = (
            "No text of the code begins with `/tmp`. Take the folder from "
            '`os.environ["TMPDIR"]` where the path is made.'
        )
        messages.info(request, sentence)
    return redirect("script-edit", script.slug)


@require_POST
def run_rerun(request: auth.SignedInRequest, pk: int) -> HttpResponse:
    by = request.user.get_username()
    try:
        other = reruns.rerun(lookup.run(pk), trigger=Trigger.MANUAL, by=by, now=timezone.now())
    except triggers.Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("run-detail", pk)
    return redirect("run-detail", other.pk)


@require_safe
def failure_list(request: HttpRequest) -> HttpResponse:
    context = failure_list_context(
        script=request.GET.get("script", ""),
        before=request.GET.get("before", ""),
        now=timezone.now(),
    )
    return render(request, "failures/list.html", context)


@require_safe
def failure_export(request: HttpRequest, suffix: str) -> HttpResponse:
    """Failures as a file, at most 10,000."""
    script = request.GET.get("script", "")
    rows = groups.page(now=timezone.now(), limit=table.MAX_ROWS, script=script)
    return table.response(lists.table_of_failures(rows), suffix)


def failure_list_context(*, script: str, before: str, now: datetime) -> FailureListContext:
    rows = groups.page(now=now, limit=PAGE + 1, script=script, before=groups.position_in(before))
    older = ""
    if len(rows) > PAGE:
        older = groups.cursor(rows[PAGE - 1].group)
    return {
        "now": now,
        "rows": rows[:PAGE],
        "script": script,
        "older": older,
        "before": before,
        "query": urlencode({"script": script}) if script else "",
    }
