"""The REST API below /api/v1/: its routers, its page of documentation, and the figures of the machine."""

import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required, login_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, path
from ninja import NinjaAPI, Swagger
from ninja.parser import Parser
from pydantic import BaseModel

from runs_app.api import router as runs_router
from scripts_app.api import router as scripts_router
from scripts_app.files.store import NoSuchFile
from scripts_app.scripts import ScriptError
from scripts_app.timing.rule import TimingError
from scripts_app.versions.drafts import Conflict
from tempo_site import auth, json_body, system

logger = logging.getLogger(__name__)

View = Callable[..., HttpResponseBase]

DESCRIPTION = """Scripts, their schedules and their runs.

Show a key as `Authorization: Bearer ...` or `X-API-Key`; make one with `manage.py createkey NAME`. A key of scope
`read` may GET, `run` may start and cancel runs too, `full` may do everything. Times are UTC (ISO 8601). Lists are
`{"items": [...], "next_cursor": ...}`: send `next_cursor` back as `cursor` until it is null. Whatever goes wrong is
`{"error": {"code", "message", "hint"?, "fields"?}}`.
"""
DOCUMENTATION = ("openapi-json", "openapi-view")  # names of its addresses


class JsonParser(Parser):
    """JSON as the standard has it: no NaN, no Infinity."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        """Return the body. Raises ValueError, which ninja turns into a 400."""
        return json_body.parse(request.body)


class TempoAPI(NinjaAPI):
    """NinjaAPI that answers in Tempo's error shape where ninja's own views do not pass through its handlers."""

    @property
    def urls(self) -> tuple[list[URLResolver | URLPattern], str, str]:
        """Every address below /api/v1/: the operations and the documentation, then a 404 for all others."""
        patterns, app_name, namespace = super().urls
        for pattern in patterns:
            if not isinstance(pattern, URLPattern) or pattern.name in DOCUMENTATION:
                continue
            if pattern.name == "api-root":
                pattern.callback = unknown
            else:
                pattern.callback = _in_error_shape(pattern.callback)
        return [*patterns, path("<path:rest>", unknown)], app_name, namespace


def _in_error_shape(view: View) -> View:
    # An operation checks its callers itself (no redirect to the login page), and ninja's plain 405 is shaped.
    @login_not_required
    @functools.wraps(view)
    def operation(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = view(request, *args, **kwargs)
        if response.status_code != 405:
            return response
        allowed = response.headers["Allow"]
        shaped = error(405, f"`{request.method}` is not possible here, only {allowed}.")
        shaped.headers["Allow"] = allowed
        return shaped

    return operation


@login_not_required
def unknown(request: HttpRequest, **_: str) -> HttpResponse:
    """Answer 404 to an address that is not one of the API's, for strangers as well."""
    text = f"There is nothing at `{request.path[:200]}`."
    return error(404, f"{text}\nhint: the addresses are listed at /api/v1/docs")


unknown.csrf_exempt = True  # type: ignore[attr-defined]  # a POST gets its 404 as well


api = TempoAPI(
    title="Tempo",
    version="1",
    description=DESCRIPTION,
    auth=auth.DEFAULT,
    parser=JsonParser(),
    docs=Swagger({"validatorUrl": None}),  # null: the page asks no other host
    docs_decorator=login_required,
)
api.add_router("", scripts_router)
api.add_router("", runs_router)
for _exception, _handler in api_errors.HANDLERS.items():
    api.add_exception_handler(_exception, _handler)


class MemoryOut(BaseModel):
    """The machine's memory."""

    total_mb: int
    available_mb: int


class DiskOut(BaseModel):
    """The disk of the data folder; below `floor_mb` no new run starts."""

    total_mb: int
    free_mb: int
    floor_mb: int
    is_low: bool


class LoadOut(BaseModel):
    """Runs of scripts at the moment, and how many may be under way at once."""

    under_way: int
    queued: int
    most: int


class IsolationOut(BaseModel):
    """The best isolation that runs can have here: `strong`, `good` or `basic`; empty while the grade is not known."""

    grade: str
    why: str


class SystemOut(BaseModel):
    """The machine. `cpu_percent` is of all cores together, over the last seconds; `load` over 1, 5 and 15 minutes."""

    cpu_percent: float | None
    cores: int
    load: list[float]
    memory: MemoryOut
    disk: DiskOut
    runs: LoadOut
    isolation: IsolationOut


@api.get("/system", response=SystemOut, tags=["system"])
def read_system(request: HttpRequest) -> system.SystemFigures:
    """Show the machine: CPU, memory, disk, runs and isolation."""
    return system.system_figures()


@api.exception_handler(HttpError)
def on_http_error(request: HttpRequest, problem: HttpError) -> HttpResponse:
    """What an operation or ninja itself refused."""
    text = problem.message
    if problem.status_code == 400 and isinstance(problem.__cause__, ValueError | RecursionError):
        text = f"The body is not valid JSON: {problem.__cause__}."
    if problem.status_code != 401:
        return error(problem.status_code, text)
    if text == "Unauthorized":
        text = "An API key or a session is needed.\nhint: send `Authorization: Bearer <key>` or `X-API-Key: <key>`"
    response = error(401, text)
    response.headers["WWW-Authenticate"] = 'Bearer realm="Tempo"'
    return response


@api.exception_handler(ValidationError)
def on_invalid_request(request: HttpRequest, problem: ValidationError) -> HttpResponse:
    """What pydantic found wrong with the request: each field with its sentence."""
    fields: dict[str, str] = {}
    for found in problem.errors[:MAX_FIELDS]:
        fields.setdefault(_field(found["loc"]), _sentence(found))
    return error(422, " ".join(fields.values()), fields=fields)


def _field(location: Sequence[str | int]) -> str:
    """Return `name` or `tags.0` for ninja's ("body", <parameter>, "name") and ("query", "limit")."""
    parts = location[2:] if location[0] == "body" else location[1:]
    return ".".join(str(part)[:MAX_NAME] for part in parts) or "body"


def _sentence(found: Mapping[str, Any]) -> str:
    name = _field(found["loc"])
    match found["type"]:
        case "missing":
            return f"`{name}` is required."
        case "extra_forbidden":
            return f"`{name}` is not known here."
        case "value_error":
            return f"`{name}`: {str(found['msg']).removeprefix('Value error, ')}."
    return f"`{name}`: {found['msg']}."


@api.exception_handler(ScriptError)
@api.exception_handler(TimingError)
def on_refused_field(request: HttpRequest, problem: ScriptError | TimingError) -> HttpResponse:
    """A rule of scripts or of timing said no to one field."""
    text = str(problem)
    return error(
        422, text, fields={problem.field: text.partition("\nhint: ")[0]} if problem.field else None
    )


@api.exception_handler(NoSuchFile)
def on_missing_file(request: HttpRequest, problem: NoSuchFile) -> HttpResponse:
    """No such file of a script."""
    return error(404, str(problem))


@api.exception_handler(FieldError)
def on_refused_row(request: HttpRequest, problem: FieldError) -> HttpResponse:
    """A model's own validators said no."""
    if not hasattr(problem, "error_dict"):
        return error(422, " ".join(problem.messages))
    fields = {name: " ".join(sentences) for name, sentences in problem.message_dict.items()}
    return error(422, " ".join(fields.values()), fields=fields)


@api.exception_handler(Refused)
def on_refused_start(request: HttpRequest, problem: Refused) -> HttpResponse:
    """Nothing was started."""
    return error(409, str(problem))


@api.exception_handler(WrongInputs)
def on_wrong_inputs(request: HttpRequest, problem: WrongInputs) -> HttpResponse:
    """Nothing was started, as its inputs are not right; each is named as in the body: `params.days`."""
    fields = {
        name if name == "params" else f"params.{name}": why for name, why in problem.fields.items()
    }
    return error(422, str(problem), fields=fields)


@api.exception_handler(Conflict)
def on_conflict(request: HttpRequest, problem: Conflict) -> HttpResponse:
    """A text was changed by someone else: both come along, `draft` theirs and `yours` what was not stored."""
    return error(
        409, str(problem), draft=dataclasses.asdict(problem.current), yours=problem.yours or None
    )


@api.exception_handler(Http404)
def on_missing(request: HttpRequest, problem: Http404) -> HttpResponse:
    """No such row."""
    return error(404, str(problem))


@api.exception_handler(RequestDataTooBig)
def on_too_large(request: HttpRequest, problem: RequestDataTooBig) -> HttpResponse:
    """Answer 413 to a body that Django itself finds too large."""
    limit_mb = settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 2**20
    return error(413, f"The request is too large.\nhint: at most {limit_mb} MB")


@api.exception_handler(MultiPartParserError)
@api.exception_handler(RawPostDataException)
@api.exception_handler(SuspiciousOperation)
@api.exception_handler(UnreadablePostError)
def on_unreadable_body(request: HttpRequest, problem: Exception) -> HttpResponse:
    """A form where JSON was expected, thousands of fields, or a connection that broke."""
    return error(
        400, "The request could not be read.\nhint: send JSON with `Content-Type: application/json`"
    )


@api.exception_handler(OperationalError)
def on_busy_database(request: HttpRequest, problem: OperationalError) -> HttpResponse:
    """The database was locked for longer than a request waits."""
    logger.error("api %s %s: database: %s", request.method, request.path, problem)
    return error(503, "The database is busy.\nhint: try again in a moment")


@api.exception_handler(Exception)
def on_failure(request: HttpRequest, problem: Exception) -> HttpResponse:
    """A defect of ours: the log has the details, the answer has none."""
    logger.error("api %s %s failed", request.method, request.path, exc_info=problem)
    return error(
        500, "Something went wrong on the server.\nhint: the details are in the server's log"
    )
