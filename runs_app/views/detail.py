"""One run: its page with the console, its raw log, and what the page asks for while it is open."""

import re
from datetime import datetime
from typing import TypedDict

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from runs_app import lookup
from runs_app.admission import explain
from runs_app.execution import execution
from runs_app.history import related_runs
from runs_app.models import Run
from runs_app.output import console, log, samples, usage_chart
from runs_app.output import lines as output_lines
from runs_app.output.console import Console
from runs_app.output.line_index import Window
from runs_app.output.usage_chart import Chart
from runs_app.states import Status, Trigger
from runs_app.triggers import confirmation, triggers
from runs_app.views.failures import Card, card_of_run
from scripts_app.inputs import parameters
from tempo_site import auth

TEXT = "text/plain; charset=utf-8"
MAX_SEARCH = 200  # characters


class RunPageContext(TypedDict):
    now: datetime
    run: Run
    inputs: dict[str, str]
    run_before: int | None
    run_after: int | None
    tries: list[Run]
    card: Card | None
    waits_for: str
    build_run: Run | None


class RunDetailContext(RunPageContext):
    console: Console
    chart: Chart | None


@require_safe
def run_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One run: facts, console and chart. `?part=facts` and `?part=chart` are the parts that change while the run goes,
    `?part=console` is the console alone.
    """
    run = lookup.run(pk)
    part = request.GET.get("part")
    if part == "facts":
        return render(request, "runs/_facts.html", run_page_context(run))
    if part == "console":
        context = {"run": run, "console": console.console_of_run(run), "is_part": True}
        return render(request, "runs/_console.html", context)
    if part == "chart":
        return render(request, "runs/_chart.html", {"run": run, "chart": _chart(run)})
    return render(request, "runs/detail.html", run_detail_context(run))


@require_POST
def run_cancel(request: auth.SignedInRequest, pk: int) -> HttpResponse:
    run = lookup.run(pk)
    if execution.cancel(run, by=request.user.get_username(), now=timezone.now()):
        messages.success(request, f"Cancelling {run}.")
    else:
        messages.info(request, f"{run} had ended already.")
    return redirect("run-detail", pk)


@require_POST
def run_again(request: auth.SignedInRequest, pk: int) -> HttpResponse:
    run = lookup.run(pk)
    try:
        other = confirmation.start_again(
            run, trigger=Trigger.MANUAL, by=request.user.get_username(), now=timezone.now()
        )
    except triggers.Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("run-detail", pk)
    dropped = triggers.dropped_inputs(run)
    if dropped:
        messages.warning(request, dropped)
    return redirect("run-detail", other.pk)


@require_safe
def run_log(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    response = StreamingHttpResponse(log.script_stream(lookup.run(pk)), content_type=TEXT)
    if request.GET.get("download"):
        response.headers["Content-Disposition"] = f'attachment; filename="run-{pk}.log"'
    return response


@require_safe
def run_output(request: HttpRequest, pk: int) -> HttpResponse:
    offset = _whole_number(request.GET.get("offset", "0"))
    if offset is None:
        sentence = "`offset` has to be a number of bytes, 0 or more\n"
        return HttpResponse(sentence, status=400, content_type=TEXT)
    return HttpResponse(log.frame(lookup.run(pk), offset), content_type=TEXT)


@require_safe
def run_lines(request: HttpRequest, pk: int) -> HttpResponse:
    """Lines by number: `?from=N&count=M` or `?last=M`. With `?q=` the numbers of the lines that hold a text, `from` a
    number on or `before` a number.
    """
    run = lookup.run(pk)
    first = _whole_number(request.GET.get("from", ""))
    last = _whole_number(request.GET.get("last", ""))
    text = request.GET.get("q")
    if text is not None:
        before = _whole_number(request.GET.get("before", ""))
        return _search(run, text, first=first or 1, before=before)
    count = last or _whole_number(request.GET.get("count", ""))
    if not count or count > output_lines.MAX_WINDOW_LINES or not (last or first):
        sentence = (
            "Ask for `from` and `count`, or for `last`: "
            "whole numbers from 1 on, at most 1000 lines; or for `q`.\n"
        )
        return HttpResponse(sentence, status=400, content_type=TEXT)
    if last:
        return _window(run, output_lines.last(run, last))
    return _window(run, output_lines.window(run, first or 1, count))


def _window(run: Run, window: Window) -> JsonResponse:
    return JsonResponse(console.window_as_json(run, window))


def _search(run: Run, text: str, *, first: int, before: int | None) -> HttpResponse:
    if not text.strip() or len(text) > MAX_SEARCH or "\n" in text:
        sentence = f"`q` has to be a text of one line and at most {MAX_SEARCH} letters\n"
        return HttpResponse(sentence, status=400, content_type=TEXT)
    if before:
        found = output_lines.search_back(run, text, before=before)
    else:
        found = output_lines.search(run, text, first=first)
    return JsonResponse({"matches": found.numbers, "searched": found.searched, "cut": found.is_cut})


def run_detail_context(run: Run) -> RunDetailContext:
    return {
        **run_page_context(run),
        "console": console.console_of_run(run),
        "chart": _chart(run),
    }


def run_page_context(run: Run) -> RunPageContext:
    before, after = related_runs.neighbours(run)
    waits_for, build_run = _waiting(run)
    return {
        "now": timezone.now(),
        "run": run,
        "inputs": {name: parameters.as_text(value) for name, value in run.params.items()},
        "run_before": before,
        "run_after": after,
        "tries": related_runs.tries(run),
        "card": card_of_run(run),
        "waits_for": waits_for,
        "build_run": build_run,
    }


def _chart(run: Run) -> Chart | None:
    return usage_chart.chart_of_run(run, samples.samples_of_run(run))


def _waiting(run: Run) -> tuple[str, Run | None]:
    # The sentence with its place in the queue, and the build it waits for.
    if run.status != Status.QUEUED:
        return "", None
    waiting = explain.explain_waiting(run, now=timezone.now())
    sentence = waiting.waits_for
    if waiting.position > 1:
        sentence += f" It is number {waiting.position} in the queue."
    return sentence, waiting.build


def _whole_number(text: str) -> int | None:
    if not re.fullmatch(r"[0-9]{1,18}", text):
        return None
    return int(text)
