"""Moving in from cron: a pasted crontab, a preview of the scripts it would become, and the import.

The rooms of `scripts_app/crontab` are asked by module alone: `web` loads them when somebody moves in (LATE in
`tempo_site/web/lean_imports.py`).
"""

from datetime import datetime
from typing import TYPE_CHECKING, TypedDict

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from scripts_app import bulk, limits
from scripts_app.crontab import importer, parser, source_files
from scripts_app.models import Folder, Script
from scripts_app.timing import rule
from scripts_app.timing.rule import TimingError
from tempo_site import auth

if TYPE_CHECKING:
    from scripts_app.crontab.importer import Choices, Proposal
    from scripts_app.crontab.parser import Crontab

MAIL_IS_ASKED = (
    "cron sent mail about some of them: the page Notifications asks who is to be told now."
)
SHOWN_CODE = 4000  # characters; the rest is there when it is made


class ImportContext(TypedDict, total=False):
    """The page; `rows`, `ticked` and `table` are there once a crontab was read."""

    now: datetime
    shown_code: int
    may_read: bool
    text: str
    error: str
    table: "Crontab"
    rows: "list[tuple[Proposal, str]]"
    ticked: set[str]
    choices: "Choices"
    zone: str
    timeout_s: int
    memory_mb: int
    folders: list[str]


@require_http_methods(["GET", "HEAD", "POST"])
def crontab_import(request: auth.SignedInRequest) -> HttpResponse:
    now = timezone.now()
    context = first_context(request, now=now)
    if request.method != "POST":
        return render(request, "scripts/import.html", context)
    text = request.POST.get("crontab", "")
    try:
        choices = posted_choices(request)
        table = table_of(request, text)
    except (parser.CrontabError, TimingError) as refusal:
        context |= {"text": text[:SHOWN_CODE], "error": str(refusal)}
        return render(request, "scripts/import.html", context)
    sources = source_files.Sources() if request.user.is_staff else source_files.NoSources()
    proposals = importer.propose(table, now=now, sources=sources, choices=choices)
    new = {row.key for row in proposals if not row.problem and not row.imported_as}
    if request.POST.get("act") in ("import", "switch-on"):
        chosen = set(request.POST.getlist("line"))
        new &= chosen
        if make_chosen(request, proposals, chosen, choices=choices, now=now):
            return redirect("script-list")
    rows = [(proposal, proposal.key) for proposal in proposals]
    context |= {"text": text, "table": table, "rows": rows, "ticked": new, "choices": choices}
    return render(request, "scripts/import.html", context)


def first_context(request: auth.SignedInRequest, *, now: datetime) -> ImportContext:
    defaults = limits.default_limits()
    return {
        "now": now,
        "shown_code": SHOWN_CODE,
        "may_read": request.user.is_staff,
        "zone": settings.TIME_ZONE,
        "timeout_s": defaults["timeout_s"],
        "memory_mb": defaults["memory_mb"],
        "folders": list(Folder.objects.values_list("path", flat=True)),
    }


def posted_choices(request: HttpRequest) -> "Choices":
    """Return what was chosen for all lines. Raise TimingError for an unknown zone, and for no number of seconds."""
    zone = request.POST.get("zone", "").strip()
    if zone:
        rule.zone_of(zone)
    text = request.POST.get("timeout_s", "").strip()
    if text and not (text.isdecimal() and len(text) < 9):
        raise TimingError("timeout_s", "The time limit is a number of seconds; 0 is none")
    return importer.Choices(
        folder=request.POST.get("folder", "").strip(),
        zone=zone,
        timeout_s=int(text) if text else None,
        switch_on=request.POST.get("act") == "switch-on",
    )


# The box is on the page once a crontab was read: before that its form says what it is.
def table_of(request: auth.SignedInRequest, text: str) -> "Crontab":
    is_system = None
    if "system-shown" in request.POST or "system" in request.POST:
        is_system = "system" in request.POST
    users = importer.users() if request.user.is_staff else {"root"}
    return parser.parse_crontab(text, users=users, is_system=is_system)


def make_chosen(
    request: auth.SignedInRequest,
    proposals: "list[Proposal]",
    chosen: set[str],
    *,
    choices: "Choices",
    now: datetime,
) -> int:
    rows = [row for row in proposals if row.key in chosen and not row.problem]
    made: dict[str, Script] = {}
    outcome = bulk.act_on_each(
        rows,
        lambda row: importer.make(row, by=request.user, now=now, choices=choices, made=made),
        chosen=len(chosen),
    )
    if not chosen:
        messages.warning(request, "No line was ticked: tick some, then press the button again.")
    count = bulk.count_of_scripts(len(made))
    done = (
        f"Moved in: {count}. Look through the code, then enable the schedule on its Schedule tab."
    )
    if choices.switch_on:
        done = f"Moved in and switched on: {count}. Take the lines out of the crontab now, or both run them."
    gone = f"{outcome.gone} of them changed since you saw them and were not made. Look again."
    bulk.report(request, outcome, done=done, gone=gone)
    if any(row.mail_to for row in outcome.done):
        messages.info(request, MAIL_IS_ASKED)
    return len(outcome.done)
