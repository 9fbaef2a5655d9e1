"""What a call says: inputs of the run, values for rules, and headers for the script."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent
from django.http import QueryDict

from runs_app.url_triggers.models import UrlTrigger
from runs_app.url_triggers.senders import Sender
from scripts_app.inputs import parameters
from scripts_app.models import Script
from scripts_app.validation import ScriptError
from tempo_site.lib.wire import json_body

FORM, JSON = "application/x-www-form-urlencoded", "application/json"
PAYLOAD_FIELD = "payload"  # in which GitHub puts its JSON where a webhook is set to send forms
MAX_HEADERS = 40
MAX_HEADER_BYTES = 2000
# Who shows these shows a secret, and scripts print what they are given.
CLOSED_HEADERS = frozenset(
    {
        "authorization",
        "cookie",
        "proxy-authorization",
        "stripe-signature",
        "webhook-signature",
        "x-api-key",
        "x-gitlab-token",
        "x-hub-signature",
        "x-hub-signature-256",
        "x-slack-signature",
    }
)


@dataclass(frozen=True, kw_only=True)
class BodyContent:
    """What a body says: `problem` is a sentence where it is not what its type says."""

    value: Any = field(default_factory=dict)
    problem: str = ""

    @property
    def fields(self) -> dict[str, Any]:
        if isinstance(self.value, dict):
            return self.value
        return {}


def read(body: bytes, content_type: str) -> BodyContent:
    """Return what a body of JSON or of a form says; all other bodies are payload and nothing else."""
    kind = content_type.partition(";")[0].strip().lower()
    try:
        if body and (kind == JSON or kind.endswith("+json")):
            return BodyContent(value=json_body.parse(body))
        if body and kind == FORM:
            form = QueryDict(body, encoding="utf-8").dict()
            if set(form) == {PAYLOAD_FIELD}:
                return BodyContent(value=json_body.parse(str(form[PAYLOAD_FIELD]).encode()))
            return BodyContent(value=form)
    except (ValueError, RecursionError, TooManyFieldsSent, RequestDataTooBig) as error:
        return BodyContent(problem=f"The body is not what its type says: {error}")
    return BodyContent()


def inputs_of(
    script: Script, sender: Sender, query: Mapping[str, Any], content: BodyContent
) -> dict[str, Any]:
    """Return the inputs of the run, to be checked like all others.

    Names that the script does not declare are refused, but in two bodies they are only payload: in a signed one, which
    its provider composes, and in one for a script without inputs.
    """
    declared = {parameter.name for parameter in parameters.parameters_of(script)}
    fields = content.fields
    if sender.is_signed or not declared:
        fields = {name: value for name, value in fields.items() if name in declared}
    return {**fields, **query}


def header_names(text: str) -> list[str]:
    """Return the names in a list of headers. Raise ScriptError."""
    names = [line.strip() for line in text.splitlines() if line.strip()]
    if len(names) > MAX_HEADERS:
        raise ScriptError(f"{len(names)} headers are more than {MAX_HEADERS}", field="headers")
    for name in names:
        if name.lower() in CLOSED_HEADERS:
            raise ScriptError(f"`{name}` carries a secret, so no script gets it", field="headers")
        if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
            raise ScriptError(f"`{name}` is no name of a header", field="headers")
    return names


def headers_for_script(trigger: UrlTrigger, headers: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for name in header_names(trigger.headers):
        if name in headers:
            found[name] = headers[name][:MAX_HEADER_BYTES].replace("\0", "")
    return found
