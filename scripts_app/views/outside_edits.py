"""What was edited on the disk: shown with the text of a script, taken or put back."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST

from scripts_app import external_edits, lookup, scripts
from scripts_app.models import Script
from scripts_app.versions import diffs, working_copy
from tempo_site import auth


def external_edit_context(script: Script) -> dict[str, Any]:
    """The edit of a script's copies, or None, and how each file differs from the current version."""
    edit = working_copy.find_edit(script)
    if edit is None or script.version is None:
        return {"edit": None}
    said = {name: getattr(script.version, field) for name, field in working_copy.FIELDS.items()}
    says = {name: getattr(edit, field) for name, field in working_copy.FIELDS.items()}
    differences = [(name, diffs.compare(said[name], says[name])) for name in edit.digests]
    return {"edit": edit, "edit_differences": differences}


@require_POST
def script_outside_edit(request: auth.SignedInRequest, slug: str) -> HttpResponse:
    """Make what was edited on the disk a version (`take=1`), or write the version back over it."""
    script, seen = lookup.script(slug), request.POST.get("seen", "")
    try:
        if request.POST.get("take") == "1":
            version = external_edits.accept(script, seen=seen, by=request.user, now=timezone.now())
            messages.success(request, f"What was edited on the disk is {version} now.")
        else:
            external_edits.revert(script, seen=seen)
            messages.success(
                request, f"{script.version} is written again; what was there is among the versions."
            )
    except scripts.ScriptError as refusal:
        messages.error(request, str(refusal))
    return redirect("script-detail", slug)
