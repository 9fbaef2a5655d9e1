"""Declares the answers of every operation, refusals too: what a client may have to read."""

from collections.abc import Iterator
from typing import Any

ANSWERS = {
    400: "The request could not be read.",
    401: "No key or session was shown, or one that is not known.",
    403: "The key's scope, or the user, does not allow it.",
    404: "It is not there.",
    409: "It cannot be done as things stand.",
    412: "The text was changed since the revision that `If-Match` names; the answer has both texts.",
    413: "The request is too large.",
    415: "The body is of a type that is not taken here.",
    416: "The range begins behind the end.",
    422: "A value is refused: `fields` says which and why.",
    428: "`If-Match` has to say which revision was seen.",
    429: "Too many requests; `Retry-After` says when to come again.",
    500: "Something went wrong on the server.",
    503: "It cannot be done now.",
    507: "The disk is full.",
}
ALWAYS = (401, 403, 422, 429, 500, 503)
OF_CHANGES = (400, 404, 409, 413, 507)
ERROR = "ErrorOut"
SCHEMA = {
    "title": ERROR,
    "type": "object",
    "description": "What went wrong; some refusals have more beside `error`.",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "hint": {"type": "string"},
                "fields": {"type": "object", "additionalProperties": {"type": "string"}},
            },
            "required": ["code", "message"],
        }
    },
    "required": ["error"],
}


def declare(document: dict[str, Any]) -> None:
    """Add the refusals to each operation of an OpenAPI document, all in the one shape."""
    components = document["components"]
    components["schemas"][ERROR] = SCHEMA
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{ERROR}"}}}
    components["responses"] = {
        f"Refused{status}": {"description": text, "content": content}
        for status, text in ANSWERS.items()
    }
    for methods in document["paths"].values():
        for method, operation in methods.items():
            for status in _refusals(method, operation):
                reference = {"$ref": f"#/components/responses/Refused{status}"}
                operation["responses"].setdefault(status, reference)


def _refusals(method: str, operation: dict[str, Any]) -> Iterator[int]:
    yield from ALWAYS
    parameters = operation.get("parameters", [])
    if any(parameter["in"] in ("path", "query") for parameter in parameters):
        yield 404  # a filter may name a script or a folder that is not there
    if any(parameter["name"] == "If-Match" for parameter in parameters):
        yield from (412, 428)
    if 206 in operation["responses"]:
        yield 416
    if "requestBody" in operation:
        yield 415
    if method != "get":
        yield from OF_CHANGES
