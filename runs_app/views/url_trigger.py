"""The door of URL triggers: `GET|POST /trigger/{slug}`, for programs; no session and no cookie opens it."""

from collections.abc import Iterator

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_variables

from runs_app.url_triggers import calls, waiting
from runs_app.url_triggers.answers import CallAnswer
from runs_app.url_triggers.calls import Call
from runs_app.views.later_response import LaterResponse
from tempo_site import auth
from tempo_site.accounts import query_key
from tempo_site.api_errors import error
from tempo_site.lib import origins

METHODS = ("GET", "POST")
PIECE_BYTES = 64 * 1024
WAIT, OUTPUT = "wait", "output"
BAD_WAIT = f"`wait` is a number of seconds from 0 to {waiting.MAX_WAIT_S}."
BAD_OUTPUT = "`output` is 1 or 0."


@login_not_required
@csrf_exempt
@sensitive_variables()
def url_trigger(request: HttpRequest, slug: str) -> HttpResponse:
    """Start a run of a script whose trigger the caller may use; to all others the address is one like any unknown."""
    query, shown = _take_key_out(request)
    if request.method not in METHODS:
        refusal = error(405, "A trigger takes GET and POST.")
        refusal.headers["Allow"] = ", ".join(METHODS)
        return _closed(refusal)
    site = origins.site(request)
    try:
        wait_s = _wait_s(query)
        answer = calls.receive(_call(request, slug, query, shown, site), now=timezone.now())
    except calls.CallRefused as refused:
        fields = refused.fields or None
        refusal = error(refused.status, str(refused), fields=fields)
        for name, value in refused.headers.items():
            refusal.headers[name] = value
        return _closed(refusal)
    return _closed(_response(answer, query, site=site, wait_s=wait_s))


def _take_key_out(request: HttpRequest) -> tuple[dict[str, str], str]:
    shown = query_key.take_out(request)
    query = {name: str(value) for name, value in request.GET.items() if name != query_key.KEY}
    return query, shown


def _wait_s(query: dict[str, str]) -> int:
    # Checked before anything starts, and told to whoever asks: it says nothing of any script.
    default = "0"
    if query.get(OUTPUT, "0") not in ("0", "1"):
        raise calls.CallRefused(400, BAD_OUTPUT)
    if query.get(OUTPUT) == "1":
        default = str(waiting.MAX_WAIT_S)
    text = query.get(WAIT, default)
    is_number = text.isascii() and text.isdecimal() and len(text) <= 3
    if not is_number or int(text) > waiting.MAX_WAIT_S:
        raise calls.CallRefused(400, BAD_WAIT)
    return int(text)


def _call(request: HttpRequest, slug: str, query: dict[str, str], shown: str, site: str) -> Call:
    inputs = {name: value for name, value in query.items() if name not in (WAIT, OUTPUT)}
    return Call(
        slug=slug.removesuffix("/"),
        method=str(request.method),
        token=auth.token_of_headers(request.headers),
        token_in_query=shown[: auth.MAX_TOKEN_LENGTH],
        headers=request.headers,
        query=inputs,
        body=_pieces(request),
        address=str(request.META.get("REMOTE_ADDR", "")),
        site=site,
    )


def _pieces(request: HttpRequest) -> Iterator[bytes]:
    while piece := request.read(PIECE_BYTES):
        yield piece


def _response(answer: CallAnswer, query: dict[str, str], *, site: str, wait_s: int) -> HttpResponse:
    if answer.run is None:
        return JsonResponse(answer.content, status=answer.status)
    response: HttpResponse
    if wait_s:
        has_output = query.get(OUTPUT) == "1"
        response = LaterResponse(answer, site=site, wait_s=wait_s, has_output=has_output)
    else:
        response = JsonResponse(answer.content, status=answer.status)
    response.headers["Location"] = answer.content["run"]["url"]
    if answer.is_replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return response


def _closed(response: HttpResponse) -> HttpResponse:
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
