"""Scripts as files: the page that exports and takes in, the preview of an import, and the import itself.

The rooms of `scripts_app/exchange` that do the work are asked by module alone: `web` loads them when somebody comes
(LATE in `tempo_site/web/lean_imports.py`).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, TypedDict

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from scripts_app import bulk
from scripts_app.exchange import (
    applying,
    exporting,
    preparing,
    preview,
    reading,
    staging,
    zip_stream,
)
from scripts_app.exchange.items import ExchangeError
from scripts_app.exchange.staging import Staged
from scripts_app.models import Folder, Script
from tempo_site import auth

if TYPE_CHECKING:
    from scripts_app.exchange.preparing import Import
    from scripts_app.exchange.preview import Planned

LEAVE = "leave"
CHOICE = "choice-"  # and the slug: the field of a script's choice
WORDS = {
    "create": ("new", "status-on"),
    "same": ("same", ""),
    "keep": ("differs", "status-missed"),
    "replace": ("differs", "status-missed"),
    "copy": ("differs", "status-missed"),
    "refuse": ("cannot be imported", "status-failed"),
}


class PreviewContext(TypedDict):
    now: datetime
    rows: "list[tuple[Planned, str, str, str]]"
    switch_on: bool


@require_http_methods(["GET", "HEAD", "POST"])
def import_page(request: auth.SignedInRequest) -> HttpResponse:
    error = ""
    if request.method == "POST":
        try:
            return redirect("import-preview", take_in(request).token)
        except ExchangeError as refusal:
            error = str(refusal)
    folders = Folder.objects.values_list("path", flat=True)
    context = {"now": timezone.now(), "error": error, "folders": list(folders)}
    return render(request, "scripts/exchange.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def import_preview(request: auth.SignedInRequest, token: str) -> HttpResponse:
    try:
        staged = staging.find(token, owner=owner_of(request))
        context = looked_at(request, staged)
    except ExchangeError as refusal:
        messages.error(request, str(refusal))
        return redirect("import-scripts")
    if request.method == "POST" and request.POST.get("act") == "import":
        if make(request, staged, context["rows"]):
            return redirect("script-list")
        context = looked_at(request, staged)
    return render(request, "scripts/exchange_preview.html", context)


@require_safe
def export_file(request: HttpRequest) -> StreamingHttpResponse:
    folder, slug = request.GET.get("folder", ""), request.GET.get("script", "")
    if "\0" in folder + slug:
        raise Http404("There is no such script.")
    rows = exporting.chosen(Script.objects.present(), folder=folder, slug=slug)
    found = exporting.export(rows, with_versions="versions" in request.GET)
    return zip_stream.attachment(found, name=slug or "scripts")


def take_in(request: auth.SignedInRequest) -> Staged:
    """Keep what was sent, unless there is no script in it. Raise ExchangeError."""
    files = request.FILES.getlist("file")
    names = request.POST.getlist(
        "path"
    )  # of a folder: a browser sends its files by their last name alone
    if len(names) != len(files):
        names = [file.name or "" for file in files]
    uploads = [(name, file.chunks()) for name, file in zip(names, files, strict=True)]
    staged = staging.take_uploads(uploads, owner=owner_of(request), now=timezone.now())
    try:
        reading.items(staged)
    except ExchangeError:
        staging.discard(staged.token)
        raise
    return staged


def looked_at(request: auth.SignedInRequest, staged: Staged) -> PreviewContext:
    """Return what would become of the import by the choices that were sent. Raise ExchangeError."""
    act = act_of(request)
    chosen = choices_of(request.POST)
    choices = {
        slug: preview.ItemChoice(choice) for slug, choice in chosen.items() if choice != LEAVE
    }
    planned = preview.plan(reading.items(staged), choices=choices, with_switches=act.switch_on)
    tried = applying.try_out(planned, act)
    return {
        "now": act.now,
        "rows": [(each, *WORDS[each.action], choice_of(each, chosen)) for each in tried],
        "switch_on": act.switch_on,
    }


def make(
    request: auth.SignedInRequest, staged: Staged, rows: "list[tuple[Planned, str, str, str]]"
) -> bool:
    planned = [
        each for each, _, _, choice in rows if choice != LEAVE and each.action in preview.ACTING
    ]
    act = act_of(request)
    try:
        made = applying.apply(planned, staged, act)
    except ExchangeError as refusal:
        messages.error(request, str(refusal))
        return False
    staging.discard_unless_wanted(staged)
    rest = "" if act.switch_on else " Their schedules are switched off: enable each that is to run."
    if act.is_unplaced:
        messages.warning(request, applying.UNPLACED)
    messages.success(request, f"Imported: {bulk.count_of_scripts(len(made))}.{rest}")
    return True


def act_of(request: auth.SignedInRequest) -> "Import":
    switch_on = "switch-on" in request.POST
    return preparing.Import(by=request.user, now=timezone.now(), switch_on=switch_on)


def choices_of(data: Mapping[str, str]) -> dict[str, str]:
    """Return what was chosen by slug; a word that is none counts as nothing said."""
    known = {LEAVE, *preview.ItemChoice}
    fields = ((name.removeprefix(CHOICE), data[name]) for name in data if name.startswith(CHOICE))
    return {slug: choice for slug, choice in fields if choice in known}


def choice_of(planned: "Planned", chosen: Mapping[str, str]) -> str:
    if planned.is_conflict:
        return chosen.get(planned.item.slug, preview.ItemChoice.KEEP)
    return LEAVE if chosen.get(planned.item.slug) == LEAVE else ""


def owner_of(request: auth.SignedInRequest) -> str:
    return f"user {request.user.pk}"
