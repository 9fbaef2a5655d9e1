"""REST operations on what a run wrote: the text of its script, whole, in part or as it comes, and the stored form."""

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any, Literal

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from ninja import Query
from ninja.errors import HttpError
from pydantic import BaseModel, Field, model_validator

from runs_app import lookup
from runs_app.api.common import router
from runs_app.models import Run
from runs_app.output import following, log, script_text
from runs_app.output.script_text import BOTH, OutOfRange
from tempo_site import auth
from tempo_site.api_errors import error
from tempo_site.web.api_types import content

MAX_OFFSET = 2**53
MAX_LINES = 100_000
TEXT = "text/plain; charset=utf-8"
EVENTS = "text/event-stream"
LETTERS = {"": BOTH, "stdout": "O", "stderr": "E"}

Offset = Annotated[int, Query(default=0, ge=0, le=MAX_OFFSET)]


class LogQuery(BaseModel):
    """Which part of the text."""

    download: bool = False
    follow: bool = Field(default=False, description="Go on until the run has ended.")
    stream: Literal["stdout", "stderr", ""] = ""
    from_line: int = Field(default=1, ge=1, le=2**53)
    tail: int | None = Field(default=None, ge=1, le=MAX_LINES, description="The last lines alone.")

    @model_validator(mode="after")
    def _begins_at_one_place(self) -> "LogQuery":
        if self.tail is not None and self.from_line != 1:
            raise ValueError("ask for `tail` or for `from_line`, not for both")
        return self


LOG_ANSWERS: dict[str, Any] = content("text/plain", EVENTS)
LOG_ANSWERS["responses"][206] = {
    "description": "The bytes that `Range` asked for.",
    "content": {"text/plain": {"schema": {"type": "string"}}},
}


@router.get("/runs/{int:run_id}/log", response={200: None}, openapi_extra=LOG_ANSWERS)
def read_log(
    request: HttpRequest, run_id: int, filters: Annotated[LogQuery, Query()]
) -> HttpResponseBase:
    """Return what the script wrote so far, both streams in order or one `stream`, byte for byte (text/plain).

    Where output is missing, a line `[Tempo: ... left out here]` says so. `from_line` counts from 1; a header `Range`
    asks for bytes. With `follow=1` the answer goes on until the run has ended: `curl -N`. With `Accept:
    text/event-stream` it is an event `output` a line, `{at, stream, text, is_line}`, and one `end`, `{status, reason,
    exit_code}`; `Last-Event-ID` goes on behind an event.
    """
    run = lookup.run(run_id)
    accepts_events = EVENTS in request.headers.get("Accept", "")
    if isinstance(request, ASGIRequest) and (filters.follow or accepts_events):
        return _follow(request, run, filters, as_events=accepts_events)
    if "Range" in request.headers:
        return _bytes(request, run, filters)
    response = _streamed(request, run, _chosen(run, filters))
    response.headers["Accept-Ranges"] = "bytes"
    if filters.download:
        response.headers["Content-Disposition"] = f'attachment; filename="run-{run_id}.log"'
    return response


def _chosen(run: Run, filters: LogQuery) -> Iterator[bytes]:
    parts = log.script_bytes(run, streams=LETTERS[filters.stream])
    return script_text.from_line(parts, _first_line(run, filters))


def _first_line(run: Run, filters: LogQuery) -> int:
    if filters.tail is None:
        return filters.from_line
    parts = log.script_bytes(run, streams=LETTERS[filters.stream])
    return script_text.first_of_last(parts, filters.tail)


def _streamed(request: HttpRequest, run: Run, parts: Iterator[bytes]) -> StreamingHttpResponse:
    shown: Iterator[bytes] | AsyncIterator[bytes] = parts
    if isinstance(request, ASGIRequest):
        shown = log.read_in_threads(run, parts)
    response = StreamingHttpResponse(shown, content_type=TEXT)
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _bytes(request: HttpRequest, run: Run, filters: LogQuery) -> HttpResponseBase:
    # The text is read twice, once for its length: records are longer than what they hold.
    total = sum(map(len, _chosen(run, filters)))
    try:
        asked = script_text.parse_range(request.headers["Range"], total)
    except OutOfRange as problem:
        refusal = error(416, str(problem))
        refusal.headers["Content-Range"] = f"bytes */{total}"
        return refusal
    parts = _chosen(run, filters)
    if asked is None:
        return _streamed(request, run, parts)
    response = _streamed(request, run, asked.of(parts))
    response.status_code = 206
    response.headers["Content-Range"] = str(asked)
    return response


def _follow(
    request: HttpRequest, run: Run, filters: LogQuery, *, as_events: bool
) -> StreamingHttpResponse:
    if following.is_full():
        raise HttpError(503, "Too many follow the output of runs already.\nhint: try again later")

    def is_welcome() -> bool:
        return auth.is_known(request.headers)

    streams = LETTERS[filters.stream]
    if as_events:
        events = following.events(
            run, offset=_last_event(request), streams=streams, is_welcome=is_welcome
        )
        response = StreamingHttpResponse(events, content_type=EVENTS)
    else:
        first = _first_line(run, filters)
        text = following.text(run, streams=streams, first_line=first, is_welcome=is_welcome)
        response = StreamingHttpResponse(text, content_type=TEXT)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["X-Accel-Buffering"] = "no"  # nginx would keep it back
    return response


def _last_event(request: HttpRequest) -> int:
    sent = request.headers.get("Last-Event-ID", "")
    if not sent.isascii() or not sent.isdecimal():
        return 0
    return min(int(sent[:16]), MAX_OFFSET)


@router.get(
    "/runs/{int:run_id}/output",
    response={200: None},
    openapi_extra=content("application/octet-stream"),
)
def read_output(request: HttpRequest, run_id: int, offset: Offset) -> HttpResponse:
    """Return stored output from a byte offset: a JSON line `{"t": "o", "o": start, "n": end, "status", "final"}`, then
    the records, `<epoch_ms> O|E|S F|P <text>`. Ask again with `offset=n`; `final` means that no more output will come.
    """
    frame = log.frame(lookup.run(run_id), offset)
    response = HttpResponse(frame, content_type="application/octet-stream")
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
