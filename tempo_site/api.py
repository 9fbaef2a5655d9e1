"""The REST API below /api/v1/: its routers, its page of documentation, and the figures of the machine."""

import functools
from collections.abc import Callable
from typing import Any

from django.contrib.auth.decorators import login_not_required, login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, re_path
from ninja import NinjaAPI
from ninja.errors import HttpError
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation
from ninja.params.models import QueryModel
from ninja.parser import Parser
from pydantic import BaseModel

from notifications_app.api import router as notifications_router
from runs_app import owners
from runs_app.api import router as runs_router
from scripts_app.api import router as scripts_router
from tempo_site import api_errors, auth, system
from tempo_site.accounts.rate_limits import TooMany
from tempo_site.api_document import answers, descriptions, page
from tempo_site.api_errors import error
from tempo_site.lib.wire import body_type, json_body
from tempo_site.rest.audit import router as audit_router
from tempo_site.rest.keys import router as keys_router
from tempo_site.rest.settings import router as settings_router
from tempo_site.web.late_operations import Router

View = Callable[..., HttpResponseBase]

DESCRIPTION = """Scripts, their schedules and their runs.

Show a key as `Authorization: Bearer ...` or `X-API-Key`; make one on the page API keys, or with `tempo createkey NAME`.
A key of scope `read` may GET, `run` may start and cancel runs too, `full` may do everything. Times are UTC (ISO 8601).
Lists are `{"items": [...], "next_cursor": ...}`: send `next_cursor` back as `cursor` until it is null. Whatever goes
wrong is `{"error": {"code", "message", "hint"?, "fields"?}}`. A query parameter or a field that is not known is
refused: 422.
"""
JSON = "application/json"
DOCUMENTATION = ("openapi-json", "openapi-view")  # names of its addresses


class JsonParser(Parser):
    """JSON as the standard has it, bounded: no NaN, no Infinity, so many values."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        """Return the body. Raises ValueError, which ninja turns into a 400, and HttpError 415."""
        kind = request.content_type or ""
        if request.body and kind != JSON and not kind.endswith("+json"):
            raise HttpError(415, body_type.refusal(kind, wanted=JSON))
        return json_body.parse(request.body)


class TempoAPI(NinjaAPI):
    """NinjaAPI that answers in Tempo's error shape where ninja's own views do not pass through its handlers."""

    def get_openapi_schema(self, **options: Any) -> OpenAPISchema:
        """Return the OpenAPI document with all answers, and all descriptions also in a process without docstrings."""
        views = [
            view for router in self._get_bound_routers() for view in router.path_operations.values()
        ]
        descriptions.restore(operation for view in views for operation in view.operations)
        document = super().get_openapi_schema(**options)
        answers.declare(document)
        return document

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
        return [*patterns, re_path("^", unknown)], app_name, namespace


def _in_error_shape(view: View) -> View:
    # An operation checks its callers itself (no redirect to the login page), and ninja's plain 405 is shaped.
    @login_not_required
    @functools.wraps(view)
    def operation(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = view(request, *args, **kwargs)
        _tell_limit(request, response)
        if response.status_code != 405:
            return response
        allowed = response.headers["Allow"]
        shaped = error(405, f"`{request.method}` is not possible here, only {allowed}.")
        shaped.headers["Allow"] = allowed
        return shaped

    return operation


def _tell_limit(request: HttpRequest, response: HttpResponseBase) -> None:
    caller: auth.Caller | None = getattr(request, "auth", None)
    if caller is not None and caller.usage is not None:
        for name, value in caller.usage.headers.items():
            response.headers[name] = value


# A key that is limited finds what belongs to its scripts, and lists that show it no others. Whatever else there is, now
# or later, is not there for it.
NOT_WITHIN_LIMITS = (
    "The key `{name}` is limited to some scripts, and this is not one of them or of theirs."
)
CLOSED_TO_LIMITED_KEYS = {"duplicate_script": "makes a script outside the limits"}


def _within_limits_of_key(view: Callable[..., Any]) -> Callable[..., Any]:
    function = view._ninja_operation.view_func  # type: ignore[attr-defined]
    is_filtered = hasattr(function, "filters_by_limits")
    is_closed = function.__name__ in CLOSED_TO_LIMITED_KEYS

    @functools.wraps(view)
    def operation(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        caller: auth.Caller = request.auth  # type: ignore[attr-defined]  # ninja sets it
        if caller.limits is None or is_filtered:
            return view(request, *args, **kwargs)
        if is_closed or not owners.is_within(caller.limits, kwargs):
            raise Http404(NOT_WITHIN_LIMITS.format(name=caller.name.removeprefix("key: ")))
        return view(request, *args, **kwargs)

    return operation


def _with_known_parameters_only(view: Callable[..., Any]) -> Callable[..., Any]:
    # Ninja passes over parameters that it does not know: a misspelt filter would list everything.
    ninja_operation: Operation = view._ninja_operation  # type: ignore[attr-defined]

    @functools.wraps(view)
    def operation(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        known = _query_parameters(ninja_operation) if request.GET else []
        for name, values in request.GET.lists():
            if name not in known:
                return api_errors.unknown_parameter(name, known)
            if len(values) > 1:
                text = f"`{name}` is given {len(values)} times, and only one can count."
                return error(422, text, fields={name: text})
        return view(request, *args, **kwargs)

    return operation


def _query_parameters(operation: Operation) -> list[str]:
    names: list[str] = []
    for model in operation.models:
        if issubclass(model, QueryModel):
            names.extend(model.__ninja_flatten_map__)
    return names


def _shown_to_keys_and_people(view: View) -> View:
    # Programs that make clients fetch the document with a key; the page is for people.
    for_people = login_required(view)

    @login_not_required
    @functools.wraps(view)
    def show(request: HttpRequest, **arguments: Any) -> HttpResponseBase:
        match = request.resolver_match
        is_document = match is not None and match.url_name == "openapi-json"
        if not is_document or not auth.token_of_headers(request.headers):
            return for_people(request, **arguments)
        try:
            auth.KeyAuth()(request)
        except (HttpError, TooMany) as refusal:
            return api.on_exception(request, refusal)
        return view(request, **arguments)

    return show


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
    default_router=Router(),
    docs=page.Documentation(),
    docs_decorator=_shown_to_keys_and_people,
)
api.add_decorator(_with_known_parameters_only)
api.add_decorator(_within_limits_of_key)
api.add_router("", scripts_router)
api.add_router("", runs_router)
api.add_router("", notifications_router)
api.add_router("", settings_router)
api.add_router("", keys_router)
api.add_router("", audit_router)
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
