"""Edits on the disk: shown with the text of a script, accepted or reverted."""

from typing import TypedDict

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST

from scripts_app import external_edits, lookup, scripts
from scripts_app.models import Script
from scripts_app.versions import diffs, working_copy
from scripts_app.versions.diffs import TextDifference
from scripts_app.versions.working_copy import ExternalEdit
from tempo_site import auth


class ExternalEditContext(TypedDict):
    edit: ExternalEdit | None
    edit_differences: list[tuple[str, TextDifference]]


def external_edit_context(script: Script) -> ExternalEditContext:
    edit = working_copy.find_edit(script)
    if edit is None or script.version is None:
        return {"edit": None, "edit_differences": []}
    differences = []
    for name in edit.digests:
        field = working_copy.FIELDS[name]
        before, after = getattr(script.version, field), getattr(edit, field)
        differences.append((name, diffs.compare(before, after)))
    return {"edit": edit, "edit_differences": differences}


@require_POST
def script_outside_edit(request: auth.SignedInRequest, slug: str) -> HttpResponse:
    script = lookup.script(slug)
    seen = request.POST.get("seen", "")
    try:
        if request.POST.get("take") == "1":
            version = external_edits.accept(script, seen=seen, by=request.user, now=timezone.now())
            done = f"What was edited on the disk is {version} now."
        else:
            external_edits.revert(script, seen=seen)
            done = f"{script.version} is written again; what was there is among the versions."
    except scripts.ScriptError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, done)
    return redirect("script-edit", slug)
