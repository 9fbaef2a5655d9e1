"""One run: its page with the console, its raw log, and what the page asks for while it is open."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from runs_app import execution, finding, output
from runs_app.models import Run
from runs_app.states import Kind, Reason, Status
from tempo_site import auth

TAIL = 64 * 1024  # stored bytes that a page carries from the start
TEXT = "text/plain; charset=utf-8"
STREAMS = {"E": "stderr", "S": "system"}  # stdout is the rule and bears no mark
_CONTROL_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


@dataclass(kw_only=True)
class Line:
    """A line of the console; open while its end was not written yet."""

    stream: str
    text: str
    is_open: bool

    @property
    def kind(self) -> str:
        """The mark it bears: `stderr`, `system`, or none."""
        return STREAMS.get(self.stream, "")


@dataclass(frozen=True, kw_only=True)
class Console:
    """The end of a run's output as its page shows it: stored bytes from `begin` to `end`."""

    begin: int
    end: int
    lines: list[Line]
    is_complete: bool
    state: str


@require_safe
def run_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One run: facts and console; `?part=facts` is the part that changes while it goes."""
    run = finding.run(pk)
    context = {"now": timezone.now(), "run": run, "params_json": json.dumps(run.params, ensure_ascii=False)}
    context |= waiting(run)
    if request.GET.get("part") == "facts":
        return render(request, "runs/_facts.html", context)
    return render(request, "runs/detail.html", {**context, "console": console(run)})


@require_POST
def run_cancel(request: auth.SignedInRequest, pk: int) -> HttpResponse:
    """Cancel a run, wherever it stands."""
    run = finding.run(pk)
    if execution.cancel(run, by=request.user.get_username(), now=timezone.now()):
        messages.success(request, f"Cancelling {run}.")
    else:
        messages.info(request, f"{run} had ended already.")
    return redirect("run-detail", pk)


@require_safe
def run_log(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    """What the script wrote, byte for byte; `?download=1` saves it as a file."""
    response = StreamingHttpResponse(output.script_stream(finding.run(pk)), content_type=TEXT)
    if request.GET.get("download"):
        response.headers["Content-Disposition"] = f'attachment; filename="run-{pk}.log"'
    return response


@require_safe
def run_output(request: HttpRequest, pk: int) -> HttpResponse:
    """Stored records from `?offset=`: a JSON header line, then the slice, as over the WebSocket."""
    offset = _whole_number(request.GET.get("offset", "0"))
    if offset is None:
        return HttpResponse("`offset` has to be a number of bytes, 0 or more\n", status=400, content_type=TEXT)
    return HttpResponse(output.frame(finding.run(pk), offset), content_type=TEXT)


def waiting(run: Run) -> dict[str, Any]:
    """What a queued run waits for, in a sentence, and the build if it is one."""
    if run.status != Status.QUEUED:
        return {}
    if run.reason != Reason.ENVIRONMENT or run.script is None:
        return {"waits_for": "It waits for its turn."}
    builds = Run.objects.filter(kind=Kind.BUILD, environment=run.script.wanted_environment_id)
    return {"waits_for": "It waits for its environment.", "build_run": builds.newest_first().first()}


def console(run: Run) -> Console:
    """Read the last 64 KiB of a run's log as lines; the page's live part goes on from `end`."""
    size = output.size(run)
    begin = max(0, size - TAIL)
    data, end = output.read_slice(run, begin, TAIL)
    if begin:  # it began within a record
        data = data[data.find(b"\n") + 1 :]
    is_complete = run.is_final and end >= size
    return Console(
        begin=begin, end=end, lines=list(lines(data)), is_complete=is_complete, state=state_of(run, is_complete, size)
    )


def state_of(run: Run, is_complete: bool, size: int) -> str:
    """The sentence below the console."""
    if not is_complete:
        return "Output so far."
    if size:
        return "All of its output."
    return "Its output is not kept any more." if run.log_bytes else "It wrote nothing."


def lines(data: bytes) -> Iterator[Line]:
    """Join records to lines as a reader expects them: pieces with what follows them in the same stream."""
    found: list[Line] = []
    unfinished: dict[str, Line] = {}
    for _, stream, is_full, text in output.records(data):
        line = unfinished.pop(stream, None)
        if line is None:
            line = Line(stream=stream, text="", is_open=True)
            found.append(line)
        line.text += _CONTROL_SEQUENCE.sub("", text.decode("utf-8", "replace")).rstrip("\r")
        line.is_open = not is_full
        if line.is_open:
            unfinished[stream] = line
    yield from found


def _whole_number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None
