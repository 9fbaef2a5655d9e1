"""One run: its page with the console, its raw log, and what the page asks for while it is open."""

import re
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from runs_app import lookup
from runs_app.admission import explain
from runs_app.execution import execution
from runs_app.history import regression
from runs_app.models import Run
from runs_app.output import lines as output_lines
from runs_app.output import log, samples, usage_chart
from runs_app.states import Kind, Status, Trigger
from runs_app.triggers import confirmation, triggers
from scripts_app.inputs import parameters
from tempo_site import auth

TAIL_LINES, TAIL_LETTERS = 200, 32 * 1024  # what a page carries of the output from the start
TEXT = "text/plain; charset=utf-8"
STREAMS = {"E": "stderr", "S": "system"}  # stdout is the rule and bears no mark
MAX_SEARCH = 200


@dataclass(frozen=True, kw_only=True)
class LineRow:
    """A line as the page shows it before its scripts take over; `kind` is its mark: `stderr`, `system`, or none."""

    number: int
    kind: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Console:
    """The end of a run's output, as rows to read and as the window that `<log-view>` goes on from."""

    lines: list[LineRow]
    window: dict[str, Any]
    total: int
    is_complete: bool
    state: str
    zone: str
    began_ms: int


@require_safe
def run_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One run: facts, console and chart. `?part=facts` and `?part=chart` are what changes while it goes,
    `?part=console` is the console alone.
    """
    run = lookup.run(pk)
    match request.GET.get("part"):
        case "facts":
            return render(request, "runs/_facts.html", run_page_context(run))
        case "console":
            return render(
                request,
                "runs/_console.html",
                {"run": run, "console": console(run), "is_part": True},
            )
        case "chart":
            return render(
                request,
                "runs/_chart.html",
                {"run": run, "chart": usage_chart.chart_of_run(run, samples.samples_of_run(run))},
            )
    chart = usage_chart.chart_of_run(run, samples.samples_of_run(run))
    return render(
        request,
        "runs/detail.html",
        {**run_page_context(run), "console": console(run), "chart": chart},
    )


@require_POST
def run_cancel(request: auth.SignedInRequest, pk: int) -> HttpResponse:
    """Cancel a run, wherever it stands."""
    run = lookup.run(pk)
    if execution.cancel(run, by=request.user.get_username(), now=timezone.now()):
        messages.success(request, f"Cancelling {run}.")
    else:
        messages.info(request, f"{run} had ended already.")
    return redirect("run-detail", pk)


@require_POST
def run_again(request: auth.SignedInRequest, pk: int) -> HttpResponse:
    """Run its script once more, with the same parameters, and go to that run."""
    run = lookup.run(pk)
    try:
        other = confirmation.start_again(
            run, trigger=Trigger.MANUAL, by=request.user.get_username(), now=timezone.now()
        )
    except triggers.Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("run-detail", pk)
    if lost := triggers.dropped_inputs(run):
        messages.warning(request, lost)
    return redirect("run-detail", other.pk)


@require_safe
def run_log(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    """What the script wrote, byte for byte; `?download=1` saves it as a file."""
    response = StreamingHttpResponse(log.script_stream(lookup.run(pk)), content_type=TEXT)
    if request.GET.get("download"):
        response.headers["Content-Disposition"] = f'attachment; filename="run-{pk}.log"'
    return response


@require_safe
def run_output(request: HttpRequest, pk: int) -> HttpResponse:
    """Stored records from `?offset=`: a JSON header line, then the slice, as over the WebSocket."""
    offset = _whole_number(request.GET.get("offset", "0"))
    if offset is None:
        return HttpResponse(
            "`offset` has to be a number of bytes, 0 or more\n", status=400, content_type=TEXT
        )
    return HttpResponse(log.frame(lookup.run(pk), offset), content_type=TEXT)


@require_safe
def run_lines(request: HttpRequest, pk: int) -> HttpResponse:
    """Lines by number: `?from=N&count=M`, `?last=M`; or numbers of those with `?q=` in them, `from` or `before` one."""
    run = lookup.run(pk)
    asked = {
        name: _whole_number(request.GET.get(name, ""))
        for name in ("from", "count", "last", "before")
    }
    if (text := request.GET.get("q")) is not None:
        return _search(run, text, first=asked["from"] or 1, before=asked["before"])
    count = asked["last"] or asked["count"]
    if not count or count > output_lines.MAX_LINES or not (asked["last"] or asked["from"]):
        sentence = (
            "Ask for `from` and `count`, or for `last`: "
            "whole numbers from 1 on, at most 1000 lines; or for `q`.\n"
        )
        return HttpResponse(sentence, status=400, content_type=TEXT)
    last = output_lines.last(run, count) if asked["last"] else None
    return JsonResponse(window_of(run, last or output_lines.window(run, asked["from"] or 1, count)))


def _search(run: Run, text: str, *, first: int, before: int | None) -> HttpResponse:
    if not text.strip() or len(text) > MAX_SEARCH or "\n" in text:
        sentence = f"`q` has to be a text of one line and at most {MAX_SEARCH} letters\n"
        return HttpResponse(sentence, status=400, content_type=TEXT)
    if before:
        found = output_lines.search_back(run, text, before=before)
    else:
        found = output_lines.search(run, text, first=first)
    return JsonResponse({"matches": found.numbers, "searched": found.searched, "cut": found.is_cut})


def run_page_context(run: Run) -> dict[str, Any]:
    """What the head of a run's page shows, with the runs before and after it."""
    return {
        "now": timezone.now(),
        "run": run,
        "inputs": {name: parameters.as_text(value) for name, value in run.params.items()},
        **neighbours(run),
        "tries": tries(run),
        "has_turning_point": regression.has_regression(run),
        **what_it_waits_for(run),
    }


def neighbours(run: Run) -> dict[str, Any]:
    """The run before and the run after this one, of the same script or environment."""
    if run.is_build:
        rows = (
            Run.objects.filter(kind=Kind.BUILD, environment=run.environment_id)
            if run.environment_id
            else None
        )
    else:
        rows = Run.objects.filter(script=run.script_id) if run.script_id else None
    if rows is None:
        return {}
    before = rows.filter(pk__lt=run.pk).order_by("-pk").values_list("pk", flat=True).first()
    after = rows.filter(pk__gt=run.pk).order_by("pk").values_list("pk", flat=True).first()
    return {"run_before": before, "run_after": after}


def tries(run: Run) -> list[Run]:
    """The tries of the same due moment, the first one first; none when there is but one."""
    first = run.parent_id if run.attempt > 1 else run.pk
    if first is None or (
        run.attempt == 1 and run.schedule_id is None
    ):  # nobody tries again what has no schedule
        return []
    rows = Run.objects.filter(Q(pk=first) | Q(parent=first, attempt__gt=1)).order_by("pk")
    found = list(rows.only("status", "attempt"))
    return found if len(found) > 1 else []


def what_it_waits_for(run: Run) -> dict[str, Any]:
    """What a queued run waits for, in a sentence, its place in the queue, and the build if it is one."""
    if run.status != Status.QUEUED:
        return {}
    found = explain.explain_waiting(run, now=timezone.now())
    place = f" It is number {found.position} in the queue." if found.position > 1 else ""
    return {"waits_for": f"{found.waits_for}{place}", "build_run": found.build}


def console(run: Run) -> Console:
    """Read the last lines of a run's output, fewer when they are long."""
    window = window_of(run, output_lines.last(run, TAIL_LINES), letters=TAIL_LETTERS)
    return Console(
        lines=[
            line_row(number, line) for number, line in enumerate(window["lines"], window["first"])
        ],
        window=window,
        total=window["total"],
        is_complete=window["final"],
        state=state_of(run, window["final"], window["end"]),
        zone=settings.TIME_ZONE,
        began_ms=round(run.started_at.timestamp() * 1000) if run.started_at else 0,
    )


def window_of(
    run: Run, window: output_lines.Window, *, letters: int | None = None
) -> dict[str, Any]:
    """A window with the run's state, as it goes over the wire; with `letters`, without its first lines beyond so many.

    `final` means that nothing more will come: the row was read before the log, and a final row's log is whole.
    """
    content = window.as_json()
    if letters is not None:
        sizes = accumulate(len(line["x"]) for line in reversed(content["lines"]))
        kept = max(1, sum(size <= letters for size in sizes))
        content["first"] += max(0, len(content["lines"]) - kept)
        content["lines"] = content["lines"][-kept:]
    return {**content, "status": run.status, "final": run.is_final and window.end >= log.size(run)}


def line_row(number: int, line: dict[str, Any]) -> LineRow:
    """A line of a window as a row."""
    return LineRow(
        number=number,
        kind=STREAMS.get(line["s"], ""),
        text=output_lines.plain(line["x"]).rstrip("\r"),
    )


def state_of(run: Run, is_complete: bool, size: int) -> str:
    """The sentence below the console."""
    if not is_complete:
        return "Output so far."
    if size:
        return "All of its output."
    return "Its output is not kept any more." if run.log_bytes else "It wrote nothing."


def _whole_number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None
