"""The page that describes the API: rows for people, made of the OpenAPI document, with a curl line for each call."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.text import slugify
from ninja import NinjaAPI
from ninja.openapi.docs import DocsBase

from tempo_site.lib import origins

JSON = "application/json"
KEY = "$TEMPO_KEY"  # the key box puts the key in its place
SAMPLES: dict[str, Any] = {
    "string": "...",
    "integer": 1,
    "number": 1.5,
    "boolean": True,
    "array": [],
    "object": {},
}
BESIDE = {"get": "Look", "post": "Do", "put": "Set", "patch": "Change", "delete": "Delete"}


@dataclass(frozen=True, kw_only=True)
class FieldRow:
    name: str
    place: str  # path, query, header or body
    kind: str
    is_required: bool
    text: str


@dataclass(frozen=True, kw_only=True)
class AnswerRow:
    status: str
    text: str
    shape: str  # its name among the shapes, or ""


@dataclass(frozen=True, kw_only=True)
class OperationRow:
    """An operation: what it is called with, a curl line, its answers."""

    anchor: str
    method: str
    path: str
    title: str
    text: str
    fields: list[FieldRow]
    curl: str
    answers: list[AnswerRow]


@dataclass(frozen=True, kw_only=True)
class OperationGroup:
    """The operations on one thing."""

    name: str
    operations: list[OperationRow]


class Documentation(DocsBase):
    """Shows the document as a page of Tempo's own, which works before its script loads."""

    def render_page(self, request: HttpRequest, api: NinjaAPI, **kwargs: Any) -> HttpResponse:
        document = api.get_openapi_schema()
        context = {
            "introduction": document["info"]["description"].strip().split("\n\n"),
            "groups": groups_of(document, root=origins.site(request)),
            "document_url": self.get_openapi_url(api, kwargs),
            "key": KEY,
        }
        return render(request, "api/docs.html", context)


def groups_of(document: dict[str, Any], *, root: str) -> list[OperationGroup]:
    """Return all operations by the thing they are about, in the order of the document."""
    found: dict[str, list[OperationRow]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            row = _operation(document, path, method, operation, root)
            found.setdefault(operation.get("tags", ["other"])[0], []).append(row)
    return [OperationGroup(name=name, operations=rows) for name, rows in sorted(found.items())]


def _operation(
    document: dict[str, Any], path: str, method: str, operation: dict[str, Any], root: str
) -> OperationRow:
    body = _body_schema(document, operation)
    fields = [_parameter(parameter) for parameter in operation.get("parameters", [])]
    required = body.get("required", [])
    text = operation.get("description", "")
    for name, schema in body.get("properties", {}).items():
        fields.append(_field(name, "body", schema, is_required=name in required))
    return OperationRow(
        anchor=slugify(f"{method}-{path.removeprefix('/api/v1')}".replace("/", "-")),
        method=method.upper(),
        path=path,
        title=_first_sentence(text) or operation.get("summary", BESIDE[method]),
        text=text,
        fields=fields,
        curl=_curl(document, method, f"{root}{path}", operation, body),
        answers=list(_answers(document, operation)),
    )


def _first_sentence(text: str) -> str:
    sentence, _, _ = " ".join(text.split()).partition(". ")
    return sentence.removesuffix(".")


def _body_schema(document: dict[str, Any], operation: dict[str, Any]) -> dict[str, Any]:
    contents = operation.get("requestBody", {}).get("content", {})
    for content in contents.values():
        return _resolved(document, content["schema"])
    return {}


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    # A reference, or the first of several that is no null.
    options = [each for each in schema.get("anyOf", []) if each.get("type") != "null"]
    if options:
        return _resolved(document, options[0])
    if "$ref" in schema:
        found: dict[str, Any] = document["components"]["schemas"][_name(schema["$ref"])]
        return found
    return schema


def _parameter(parameter: dict[str, Any]) -> FieldRow:
    schema = {**parameter["schema"], "description": parameter.get("description", "")}
    is_required = parameter.get("required", False)
    return _field(parameter["name"], parameter["in"], schema, is_required=is_required)


def _field(name: str, place: str, schema: dict[str, Any], *, is_required: bool) -> FieldRow:
    return FieldRow(
        name=name,
        place=place,
        kind=_kind(schema),
        is_required=is_required,
        text=schema.get("description", ""),
    )


def _kind(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(str(word) or '""' for word in schema["enum"])
    options = schema.get("anyOf") or schema.get("allOf")
    if options:
        return " or ".join(_kind(option) for option in options)
    if "$ref" in schema:
        return _name(schema["$ref"])
    kind = str(schema.get("const", schema.get("type", "")))
    bounds = _bounds(schema)
    return f"{kind} {bounds}".strip()


def _bounds(schema: dict[str, Any]) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        return f"{least}-{most}"
    return f"from {least}" if least is not None else ""


def _curl(
    document: dict[str, Any],
    method: str,
    url: str,
    operation: dict[str, Any],
    body: dict[str, Any],
) -> str:
    words = ["curl"]
    if method != "get":
        words.append(f"-X {method.upper()}")
    words.append(f'-H "Authorization: Bearer {KEY}"')
    contents = operation.get("requestBody", {}).get("content", {})
    if JSON in contents:
        words.append(f"-H 'Content-Type: {JSON}'")
        words.append(f"-d '{json.dumps(_sample(document, body))}'")
    elif contents:
        words.append("-F file=@FILE")
    query = [
        f"{each['name']}=..."
        for each in operation.get("parameters", [])
        if each["in"] == "query" and each.get("required")
    ]
    words.append(f"'{url}{'?' + '&'.join(query) if query else ''}'")
    return " ".join(words)


def _sample(document: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    # What has to be sent, and no more.
    sample = {}
    for name in body.get("required", []):
        schema = _resolved(document, body["properties"][name])
        choices = schema.get("enum")
        sample[name] = choices[0] if choices else SAMPLES.get(schema.get("type", ""), "...")
    return sample


def _answers(document: dict[str, Any], operation: dict[str, Any]) -> Iterator[AnswerRow]:
    for status, answer in sorted(operation["responses"].items(), key=lambda each: int(each[0])):
        stored = answer
        if "$ref" in answer:
            stored = document["components"]["responses"][_name(answer["$ref"])]
        schema = stored.get("content", {}).get(JSON, {}).get("schema", {})
        shape = _name(schema.get("$ref", ""))
        yield AnswerRow(status=str(status), text=stored["description"], shape=shape)


def _name(reference: str) -> str:
    return reference.rpartition("/")[2]
