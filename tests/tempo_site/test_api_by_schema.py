"""The API against its own OpenAPI document: requests that schemathesis makes of it."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
import schemathesis
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from ninja.responses import NinjaJSONEncoder
from requests import PreparedRequest
from schemathesis.core import NOT_SET
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.core.transport import Response
from schemathesis.generation import GenerationMode

from tempo_site.api import api
from tests.factories import make_run, make_schedule, make_script

REQUESTS = 3  # of each operation, and of its wrong bodies
# A request that is valid by the document is not refused for its form: only for what no form says, such as a cron line.
REFUSED_FOR_FORM = (
    "is required",
    "is not known here",
    "could not be read",
    "` is to be ",
    "is none that a list has given",
    "has not the form",
    "` may be ",
)
EVERY = settings(
    max_examples=REQUESTS,
    database=None,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document as clients get it."""
    found: dict[str, Any] = json.loads(json.dumps(api.get_openapi_schema(), cls=NinjaJSONEncoder))
    return found


def operations(document: dict[str, Any]) -> Iterator[Any]:
    """Every operation of the document whose body is JSON or that has none; what is uploaded is no JSON."""
    for result in schemathesis.openapi.from_dict(document).get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()
        if all(body.media_type == "application/json" for body in operation.body):
            yield operation


def sent(client: Client, case: Any) -> Any:
    """The answer to a generated request."""
    query = {name: plain(value) for name, value in (case.query or {}).items()}
    body = case.body
    if not isinstance(body, bytes):  # which are no JSON at all
        body = "" if body is NOT_SET else json.dumps(body)
    revision = {name: value for name, value in (case.headers or {}).items() if name == "If-Match"}
    return client.generic(
        case.method.upper(),
        f"{case.formatted_path}?{urlencode(query)}",
        body,
        "application/json",
        headers=revision,
    )


def plain(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else value


def faults(client: Client, operation: Any, mode: GenerationMode) -> set[str]:
    """What is wrong with the answers to some requests: a status without a word, a form that the document does not have,
    a valid request refused.
    """
    found: set[str] = set()

    @EVERY
    @given(case=operation.as_strategy(generation_mode=mode))
    def look(case: Any) -> None:
        answer = sent(client, case)
        if str(answer.status_code) not in operation.definition.raw["responses"]:
            found.add(f"{operation.label} answered {answer.status_code}, which is not documented")
        if answer.status_code == 500:
            found.add(f"{operation.label} failed")
        if answer.headers.get("Content-Type", "").startswith("application/json"):
            found.update(faults_of_form(operation, answer))
        is_refusal = mode == GenerationMode.POSITIVE and answer.status_code in (400, 415, 422)
        if is_refusal and any(words in answer.content.decode() for words in REFUSED_FOR_FORM):
            found.add(f"{operation.label} refused {case.body!r} {case.query!r}: {answer.content!r}")

    look()
    return found


def faults_of_form(operation: Any, answer: Any) -> Iterator[str]:
    """Where an answer differs from its schema: nothing else checks what operations answer with."""
    seen = Response(
        status_code=answer.status_code,
        headers={"Content-Type": [answer.headers["Content-Type"]]},
        content=answer.content,
        request=PreparedRequest(),
        elapsed=0.0,
        verify=True,
    )
    try:
        operation.validate_response(seen)
    except FailureGroup as failures:
        for failure in failures.exceptions:
            yield f"{operation.label} answered {answer.status_code} in another form: {failure}"


@pytest.mark.django_db
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_answer_is_documented_and_no_valid_request_refused_for_its_form(
    program: Client, document: dict[str, Any], mode: GenerationMode
) -> None:
    script = make_script("Hello")
    make_run(script)
    make_schedule(script)
    found: set[str] = set()
    for operation in operations(document):
        if mode == GenerationMode.POSITIVE or operation.body:
            found |= faults(program, operation, mode)
    assert not found, "\n".join(sorted(found))


def test_the_document_refers_to_nothing_that_is_not_in_it(document: dict[str, Any]) -> None:
    kinds = document["components"]
    found = set(references(document))
    assert "#/components/schemas/RunOut" in found
    for reference in found:
        kind, name = reference.removeprefix("#/components/").split("/")
        assert name in kinds[kind], reference


def references(part: Any) -> Iterator[str]:
    """Every `$ref` below a part of the document."""
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)
