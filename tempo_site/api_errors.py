"""The one error shape of the API, and which answer each exception gets."""

import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import ValidationError as FieldError
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.http.request import RawPostDataException
from ninja.errors import HttpError, ValidationError
from ninja.responses import Response

from notifications_app.channels.channels import InvalidChannel
from notifications_app.rules.rules import RuleError
from runs_app.triggers.confirmation import ConfirmationNeeded
from runs_app.triggers.triggers import QueueFull, Refused, WrongInputs
from scripts_app.files.store import NoSuchFile
from scripts_app.scripts import ScriptError, StaffNeeded
from scripts_app.timing.rule import TimingError
from scripts_app.versions.drafts import Conflict
from tempo_site import auth
from tempo_site.accounts.keys import KeyRefused
from tempo_site.accounts.rate_limits import TooMany
from tempo_site.lib import storage_trouble
from tempo_site.stored_settings.fields import SettingRefused

logger = logging.getLogger(__name__)

CHOICES = ("enum", "literal_error")  # Pydantic's words for a word that is none of a list

Handler = Callable[[HttpRequest, Any], HttpResponse]

CODES = {
    400: "bad_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    412: "changed_meanwhile",
    413: "too_large",
    415: "unsupported_type",
    416: "out_of_range",
    422: "invalid",
    428: "revision_needed",
    429: "too_many_requests",
    500: "server_error",
    503: "unavailable",
    507: "no_space",
}
MAX_FIELDS = 20  # a body of a million unknown fields does not get an answer of a million lines
MAX_NAME = 80
FILTERS = "filters"  # what an operation calls the model of its query

PYDANTICS_BEGINNING = "Input should be "
KEY_NEEDED = (
    "An API key or a session is needed.\n"
    "hint: send `Authorization: Bearer <key>` or `X-API-Key: <key>`"
)


def error(
    status: int,
    text: str,
    *,
    code: str = "",
    fields: Mapping[str, str] | None = None,
    **beside: object,
) -> HttpResponse:
    """Return an answer in the error shape. The text after `\\nhint: ` is the hint; `beside` stands next to `error`."""
    message, _, hint = text.partition("\nhint: ")
    body: dict[str, Any] = {"code": code or CODES.get(status, "error"), "message": message}
    if hint:
        body["hint"] = hint
    if fields:
        body["fields"] = dict(fields)
    return Response({"error": body, **beside}, status=status)


def unknown_parameter(name: str, known: Sequence[str]) -> HttpResponse:
    """Return the answer to a query parameter that an address does not know."""
    name = name[:MAX_NAME]
    message = f"`{name}` is not known here."
    hint = "this address takes no parameters"
    if known:
        hint = "known are " + ", ".join(f"`{parameter}`" for parameter in known)
    return error(422, f"{message}\nhint: {hint}", fields={name: message})


def _http_error(request: HttpRequest, problem: HttpError) -> HttpResponse:
    # An operation or ninja itself refused.
    text = problem.message
    if isinstance(problem.__cause__, HttpError):  # of our parser, in ninja's words
        return _http_error(request, problem.__cause__)
    if problem.status_code == 400 and isinstance(problem.__cause__, ValueError | RecursionError):
        text = f"The body is not valid JSON: {problem.__cause__}."
    if problem.status_code != 401:
        return error(problem.status_code, text)
    if text == "Unauthorized":
        text = KEY_NEEDED
    response = error(401, text)
    response.headers["WWW-Authenticate"] = 'Bearer realm="Tempo"'
    return response


def _invalid_request(request: HttpRequest, problem: ValidationError) -> HttpResponse:
    # Pydantic found something wrong: each field with its sentence.
    fields: dict[str, str] = {}
    for found in problem.errors[:MAX_FIELDS]:
        name, sentence = _field(found), _sentence(found)
        if found["type"] in CHOICES and name in fields:
            fields[name] += f" {sentence}"
        fields.setdefault(name, sentence)
    return error(422, " ".join(fields.values()), fields=fields)


def _field(found: Mapping[str, Any]) -> str:
    location: Sequence[str | int] = found["loc"]
    if found["type"] in CHOICES and str(location[-1]).endswith("]"):
        location = location[
            :-1
        ]  # which of several lists of words it was not, as `literal['bad','active']`
    # `name`, `limit` or `status` for ninja's ("body", <parameter>, "name"), ("query", "limit") and, of a query whose
    # parameters are one model, ("query", "filters", "status").
    is_in_model = location[0] == "body" or tuple(location[:2]) == ("query", FILTERS)
    start = 2 if is_in_model else 1
    parts = [str(part)[:MAX_NAME] for part in location[start:]]
    whole = "body" if location[0] == "body" else "parameters"
    return ".".join(parts) or whole


def _sentence(found: Mapping[str, Any]) -> str:
    name = _field(found)
    match found["type"]:
        case "enum" | "literal_error":
            return f"`{name}` may be {found['ctx']['expected']}."
        case "string_pattern_mismatch" if name == "cursor":
            return "`cursor` is none that a list has given."
        case "string_pattern_mismatch":
            return f"`{name}` has not the form that it needs: `{found['ctx']['pattern']}`."
        case "missing":
            return f"`{name}` is required."
        case "extra_forbidden":
            return f"`{name}` is not known here."
        case "value_error":
            return f"`{name}`: {str(found['msg']).removeprefix('Value error, ')}."
        case "model_attributes_type" | "model_type" | "dict_type":
            return f"`{name}` is to be an object with fields."
        case "greater_than_equal":
            return f"`{name}` is to be {found['ctx']['ge']} or more."
        case "less_than_equal":
            return f"`{name}` is to be {found['ctx']['le']} or less."
    words = str(found["msg"])
    if words.startswith(PYDANTICS_BEGINNING):
        return f"`{name}` is to be {words.removeprefix(PYDANTICS_BEGINNING)}."
    return f"`{name}`: {words}."


def _refused_field(
    request: HttpRequest,
    problem: ScriptError | TimingError | InvalidChannel | RuleError | KeyRefused,
) -> HttpResponse:
    text = str(problem)
    if not problem.field:
        return error(422, text)
    message = text.partition("\nhint: ")[0]
    return error(422, text, fields={problem.field: message})


def _refused_setting(request: HttpRequest, problem: SettingRefused) -> HttpResponse:
    text = str(problem)
    return error(422, text, fields={problem.name: text.partition("\nhint: ")[0]})


def _staff_needed(request: HttpRequest, problem: StaffNeeded) -> HttpResponse:
    text = str(problem)
    message = text.partition("\nhint: ")[0]
    return error(403, text, fields={problem.field: message})


def _refused_row(request: HttpRequest, problem: FieldError) -> HttpResponse:
    # A model's own validators said no.
    if not hasattr(problem, "error_dict"):
        return error(422, " ".join(problem.messages))
    refused = problem.message_dict.items()
    fields = {name: f"`{name}`: {' '.join(sentences)}" for name, sentences in refused}
    return error(422, " ".join(fields.values()), fields=fields)


def _wrong_inputs(request: HttpRequest, problem: WrongInputs) -> HttpResponse:
    # Each input is named as in the body: `params.days`.
    fields = {}
    for name, sentence in problem.fields.items():
        field = name if name == "params" else f"params.{name}"
        fields[field] = sentence
    return error(422, str(problem), fields=fields)


def _conflict(request: HttpRequest, problem: Conflict) -> HttpResponse:
    # Both texts come along: `draft` is the stored text, `yours` the text that was not stored.
    status = 412 if "If-Match" in request.headers else 409
    draft = dataclasses.asdict(problem.current)
    return error(status, str(problem), draft=draft, yours=problem.yours or None)


def _refused_start(request: HttpRequest, problem: Refused) -> HttpResponse:
    return error(409, str(problem))


def _queue_full(request: HttpRequest, problem: QueueFull) -> HttpResponse:
    response = error(503, str(problem), code="queue_full")
    response.headers["Retry-After"] = "30"
    return response


def _unconfirmed_start(request: HttpRequest, problem: ConfirmationNeeded) -> HttpResponse:
    return error(
        409,
        f'{problem.sentence}\nhint: send `"confirm": true` to run it all the same',
        code="confirmation_needed",
        problems=[dataclasses.asdict(found) for found in problem.problems],
    )


def _too_many(request: HttpRequest, problem: TooMany) -> HttpResponse:
    response = error(429, str(problem))
    for name, value in problem.usage.headers.items():
        response.headers[name] = value
    return response


def _staff_only(request: HttpRequest, problem: auth.StaffOnly) -> HttpResponse:
    return error(403, str(problem))


def _not_found(request: HttpRequest, problem: Http404 | NoSuchFile) -> HttpResponse:
    return error(404, str(problem))


def _too_large(request: HttpRequest, problem: RequestDataTooBig) -> HttpResponse:
    limit_mb = settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 2**20
    return error(413, f"The request is too large.\nhint: at most {limit_mb} MB")


def _unreadable_body(request: HttpRequest, problem: Exception) -> HttpResponse:
    # A form where JSON was expected, thousands of fields, or a connection that broke.
    text = "The request could not be read.\nhint: send JSON with `Content-Type: application/json`"
    return error(400, text)


def _storage_trouble(request: HttpRequest, problem: DatabaseError | OSError) -> HttpResponse:
    # The database was locked for longer than a request waits, or the disk is full, read-only, or fails.
    trouble = storage_trouble.trouble_of(problem)
    if trouble is None:
        return _failure(request, problem)
    logger.error("api %s %s: %s", request.method, request.path, problem)
    return error(trouble.status, str(trouble))


def _failure(request: HttpRequest, problem: Exception) -> HttpResponse:
    # A defect of Tempo: the log has the details, the answer has none.
    logger.error("api %s %s failed", request.method, request.path, exc_info=problem)
    text = "Something went wrong on the server.\nhint: the details are in the server's log"
    return error(500, text)


# The most special class of an exception counts.
HANDLERS: dict[type[Exception], Handler] = {
    HttpError: _http_error,
    ValidationError: _invalid_request,
    ScriptError: _refused_field,
    StaffNeeded: _staff_needed,
    TimingError: _refused_field,
    InvalidChannel: _refused_field,
    RuleError: _refused_field,
    KeyRefused: _refused_field,
    SettingRefused: _refused_setting,
    TooMany: _too_many,
    FieldError: _refused_row,
    Refused: _refused_start,
    QueueFull: _queue_full,
    ConfirmationNeeded: _unconfirmed_start,
    WrongInputs: _wrong_inputs,
    Conflict: _conflict,
    auth.StaffOnly: _staff_only,
    Http404: _not_found,
    NoSuchFile: _not_found,
    RequestDataTooBig: _too_large,
    MultiPartParserError: _unreadable_body,
    RawPostDataException: _unreadable_body,
    SuspiciousOperation: _unreadable_body,
    UnreadablePostError: _unreadable_body,
    DatabaseError: _storage_trouble,
    OSError: _storage_trouble,
    Exception: _failure,
}
