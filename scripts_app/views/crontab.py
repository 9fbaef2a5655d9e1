"""Moving in from cron: paste a crontab, look at what it would become, make what is ticked."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.db import OperationalError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from scripts_app.crontab import importer, parser, source_files
from scripts_app.crontab.importer import Proposal
from scripts_app.crontab.parser import CrontabError
from scripts_app.scripts import ScriptError
from scripts_app.timing.rule import TimingError
from tempo_site import auth

SHOWN_CODE = 4000  # characters; the rest is there when it is made
NAMED = 3  # refusals told one by one; the rest is a number


@require_http_methods(["GET", "HEAD", "POST"])
def crontab_import(request: auth.SignedInRequest) -> HttpResponse:
    """A box for a crontab. A POST shows what its lines would become; with `act=import` the ticked ones are made."""
    now, text = timezone.now(), request.POST.get("crontab", "")
    context: dict[str, Any] = {
        "now": now,
        "shown_code": SHOWN_CODE,
        "may_read": request.user.is_staff,
    }
    if request.method != "POST":
        return render(request, "scripts/import.html", context)
    try:
        proposals, context["is_system"] = proposals_of(request, text, now=now)
    except CrontabError as refusal:
        return render(
            request,
            "scripts/import.html",
            {**context, "text": text[:SHOWN_CODE], "error": str(refusal)},
        )
    ticked = {proposal.key for proposal in proposals if not proposal.problem}
    if request.POST.get("act") == "import":
        ticked &= set(request.POST.getlist("line"))
        if make_ticked(request, proposals, ticked, now=now):
            return redirect("script-list")
    rows = [(proposal, proposal.key) for proposal in proposals]
    return render(
        request, "scripts/import.html", {**context, "text": text, "rows": rows, "ticked": ticked}
    )


def proposals_of(
    request: auth.SignedInRequest, text: str, *, now: datetime
) -> tuple[list[Proposal], bool]:
    """What a paste would become, and whether it is a system crontab. Only for staff is any file read."""
    is_staff = request.user.is_staff
    table = parser.parse_crontab(text, users=importer.users() if is_staff else ("root",))
    read = source_files.reader() if is_staff else importer.unread
    return importer.propose(table, now=now, read=read), table.is_system


def make_ticked(
    request: auth.SignedInRequest,
    proposals: list[Proposal],
    ticked: Collection[str],
    *,
    now: datetime,
) -> int:
    """Make each that was ticked as it is still proposed; one that is refused does not stop the others."""
    made, refusals = 0, []
    for proposal in proposals:
        if proposal.key not in ticked:
            continue
        try:
            importer.make(proposal, by=request.user, now=now)
        except (ScriptError, TimingError) as refusal:
            refusals.append(f"`{proposal.name}`: {refusal}")
        except (
            OperationalError
        ):  # the database was locked for too long: the others may have more luck
            refusals.append(f"`{proposal.name}`: the database was busy. Try again.")
        else:
            made += 1
    stale = len(set(request.POST.getlist("line"))) - len(ticked)
    if stale > 0:
        refusals.append(
            f"{stale} of them changed since you saw them and were not made. Look again."
        )
    report_import(request, made, refusals)
    return made


def report_import(request: auth.SignedInRequest, made: int, refusals: list[str]) -> None:
    """Say what was made and what was not."""
    if made:
        scripts = "1 script" if made == 1 else f"{made} scripts"
        messages.success(
            request,
            f"Moved in: {scripts}. Look through the code, then enable the schedule on its Schedule tab.",
        )
    elif not refusals:
        messages.warning(request, "No line was ticked: tick some, then press the button again.")
    for sentence in refusals[:NAMED]:
        messages.error(request, sentence)
    if len(refusals) > NAMED:
        messages.error(request, f"{len(refusals) - NAMED} more were refused.")
