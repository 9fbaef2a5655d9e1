"""Moving in from cron: a pasted crontab, a preview of the scripts it would become, and the import."""

from datetime import datetime
from typing import TypedDict

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from scripts_app import bulk
from scripts_app.crontab import importer, parser, source_files
from scripts_app.crontab.importer import Proposal
from scripts_app.crontab.parser import CrontabError
from tempo_site import auth

SHOWN_CODE = 4000  # characters; the rest is there when it is made


class ImportContext(TypedDict, total=False):
    """The page; `rows`, `ticked` and `is_system` are there once a crontab was read."""

    now: datetime
    shown_code: int
    may_read: bool
    text: str
    error: str
    is_system: bool
    rows: list[tuple[Proposal, str]]
    ticked: set[str]


@require_http_methods(["GET", "HEAD", "POST"])
def crontab_import(request: auth.SignedInRequest) -> HttpResponse:
    now = timezone.now()
    context: ImportContext = {
        "now": now,
        "shown_code": SHOWN_CODE,
        "may_read": request.user.is_staff,
    }
    if request.method != "POST":
        return render(request, "scripts/import.html", context)
    text = request.POST.get("crontab", "")
    try:
        proposals, is_system = proposals_of(request, text, now=now)
    except CrontabError as refusal:
        context |= {"text": text[:SHOWN_CODE], "error": str(refusal)}
        return render(request, "scripts/import.html", context)
    keys = {proposal.key for proposal in proposals if not proposal.problem}
    if request.POST.get("act") == "import":
        chosen = set(request.POST.getlist("line"))
        keys &= chosen
        if make_chosen(request, proposals, chosen, now=now):
            return redirect("script-list")
    rows = [(proposal, proposal.key) for proposal in proposals]
    context |= {"text": text, "is_system": is_system, "rows": rows, "ticked": keys}
    return render(request, "scripts/import.html", context)


def proposals_of(
    request: auth.SignedInRequest, text: str, *, now: datetime
) -> tuple[list[Proposal], bool]:
    if request.user.is_staff:
        table = parser.parse_crontab(text, users=importer.users())
        proposals = importer.propose(table, now=now, read=source_files.reader())
    else:
        table = parser.parse_crontab(text, users={"root"})
        proposals = importer.propose(table, now=now, read=importer.refuse_to_read)
    return proposals, table.is_system


def make_chosen(
    request: auth.SignedInRequest, proposals: list[Proposal], chosen: set[str], *, now: datetime
) -> int:
    rows = [row for row in proposals if row.key in chosen and not row.problem]
    outcome = bulk.act_on_each(
        rows, lambda row: importer.make(row, by=request.user, now=now), chosen=len(chosen)
    )
    if not chosen:
        messages.warning(request, "No line was ticked: tick some, then press the button again.")
    made = bulk.count_of_scripts(len(outcome.done))
    bulk.report(
        request,
        outcome,
        done=f"Moved in: {made}. Look through the code, then enable the schedule on its Schedule tab.",
        gone=f"{outcome.gone} of them changed since you saw them and were not made. Look again.",
    )
    return len(outcome.done)
