"""The API as others build on it: addresses, fields, who may call what, one shape of error."""

import functools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.text import slugify
from ninja.responses import NinjaJSONEncoder

from runs_app.api import RunOut
from scripts_app.api import ScheduleOut, ScriptOut
from tempo_site.api import api
from tempo_site.models import ApiKey
from tempo_site.web import byte_code
from tests.factories import make_script
from tests.rows import each_row
from tests.service import ROOT

OPERATIONS = {
    "GET /audit",
    "GET /views",
    "PUT /views/{name}",
    "DELETE /views/{name}",
    "POST /schedules/{schedule_id}/skip-next",
    "GET /export",
    "POST /import",
    "GET /keys",
    "POST /keys",
    "GET /keys/{key_id}",
    "PATCH /keys/{key_id}",
    "DELETE /keys/{key_id}",
    "POST /keys/{key_id}/rotate",
    "GET /variables",
    "GET /failures",
    "POST /runs/{run_id}/rerun",
    "PUT /variables/{name}",
    "DELETE /variables/{name}",
    "GET /scripts/{slug}/variables",
    "PUT /scripts/{slug}/variables/{name}",
    "DELETE /scripts/{slug}/variables/{name}",
    "POST /scripts",
    "GET /scripts",
    "GET /scripts/{slug}",
    "PATCH /scripts/{slug}",
    "DELETE /scripts/{slug}",
    "POST /scripts/{slug}/restore",
    "POST /scripts/{slug}/duplicate",
    "GET /scripts/{slug}/files",
    "POST /scripts/{slug}/files",
    "GET /scripts/{slug}/files/{path}",
    "DELETE /scripts/{slug}/files/{path}",
    "GET /scripts/{slug}/outside-edit",
    "POST /scripts/{slug}/outside-edit",
    "GET /folders",
    "POST /folders",
    "PATCH /folders/{folder_id}",
    "DELETE /folders/{folder_id}",
    "GET /scripts/{slug}/draft",
    "PUT /scripts/{slug}/draft",
    "DELETE /scripts/{slug}/draft",
    "POST /check",
    "POST /format",
    "GET /scripts/{slug}/versions",
    "GET /scripts/{slug}/versions/diff",
    "GET /scripts/{slug}/versions/last-good-to-first-bad",
    "GET /scripts/{slug}/versions/{number}",
    "PATCH /scripts/{slug}/versions/{number}",
    "POST /scripts/{slug}/versions/{number}/restore",
    "GET /environments",
    "GET /environments/{environment_id}",
    "POST /environments/{environment_id}/rebuild",
    "GET /environments/disk-use",
    "GET /pythons",
    "POST /pythons",
    "POST /pythons/move",
    "GET /scripts/{slug}/environment/upgrade",
    "POST /scripts/{slug}/environment/upgrade",
    "DELETE /scripts/{slug}/environment/upgrade",
    "POST /scripts/{slug}/environment/upgrade/use",
    "POST /scripts/{slug}/runs",
    "GET /scripts/{slug}/trigger",
    "PUT /scripts/{slug}/trigger",
    "GET /scripts/{slug}/trigger/calls",
    "POST /scripts/{slug}/trigger/keys",
    "DELETE /scripts/{slug}/trigger/keys/{key_id}",
    "POST /scripts/{slug}/trigger-key",
    "GET /scripts/{slug}/statistics",
    "GET /statistics",
    "GET /scripts/{slug}/schedules",
    "POST /scripts/{slug}/schedules",
    "GET /schedules/{schedule_id}",
    "PATCH /schedules/{schedule_id}",
    "DELETE /schedules/{schedule_id}",
    "POST /schedules/preview",
    "GET /schedules/{schedule_id}/ledger",
    "GET /pause",
    "POST /pause",
    "DELETE /pause",
    "GET /templates",
    "GET /templates/{name}",
    "POST /templates/{name}",
    "GET /runs",
    "GET /search",
    "GET /queue",
    "GET /backups",
    "POST /backups",
    "GET /backups/{name}/file",
    "GET /retention",
    "PUT /retention",
    "DELETE /retention/{limits_id}",
    "POST /retention/preview",
    "POST /retention/delete-now",
    "GET /runs/{run_id}",
    "POST /runs/{run_id}/cancel",
    "GET /runs/{run_id}/log",
    "GET /runs/{run_id}/samples",
    "GET /system",
    "GET /settings",
    "GET /channels",
    "POST /channels",
    "GET /channels/{channel_id}",
    "PATCH /channels/{channel_id}",
    "DELETE /channels/{channel_id}",
    "POST /channels/{channel_id}/test",
    "POST /channels/{channel_id}/resume",
    "POST /channels/{channel_id}/secret",
    "DELETE /channels/{channel_id}/secret",
    "GET /rules",
    "POST /rules",
    "GET /rules/{rule_id}",
    "PATCH /rules/{rule_id}",
    "DELETE /rules/{rule_id}",
    "GET /rules/{rule_id}/preview",
    "GET /deliveries",
    "GET /deliveries/{delivery_id}",
    "POST /deliveries/{delivery_id}/again",
    "POST /deliveries/{delivery_id}/give-up",
    "PATCH /settings",
    "GET /runs/{run_id}/output",
}
# What shows a key that is limited the rows within its limits; the rest is of one script, or closed to it.
FILTERED = {
    "GET /export",
    "GET /scripts",
    "GET /runs",
    "GET /queue",
    "GET /failures",
    "GET /statistics",
    "GET /search",
}
# With an empty body these say that it is missing, and nothing of the address.
NEED_A_BODY = {
    "POST /check",
    "POST /format",
    "POST /folders",
    "PATCH /folders/{folder_id}",
    "POST /pythons",
    "POST /pythons/move",
    "POST /schedules/preview",
    "PATCH /schedules/{schedule_id}",
    "POST /scripts",
    "PATCH /scripts/{slug}",
    "PUT /scripts/{slug}/draft",
    "POST /scripts/{slug}/files",
    "POST /scripts/{slug}/outside-edit",
    "POST /scripts/{slug}/schedules",
    "PUT /scripts/{slug}/trigger",
    "PUT /scripts/{slug}/variables/{name}",
    "PATCH /scripts/{slug}/versions/{number}",
    "POST /templates/{name}",
    "POST /keys",
    "PATCH /keys/{key_id}",
    "PATCH /settings",
    "POST /channels",
    "PATCH /channels/{channel_id}",
    "POST /rules",
    "PATCH /rules/{rule_id}",
    "PUT /variables/{name}",
    "PUT /retention",
    "PUT /views/{name}",
}
REQUIRED_QUERY = {"GET /scripts/{slug}/versions/diff": ("from", "to")}
QueryParams = Mapping[str, str | list[str]] | None
SCRIPT_FIELDS = (
    "slug name folder description tags enabled code requirements python_version version revision environment timeout_s"
    " memory_mb cpu_s processes output_mb file_mb nice as_service_user allow_source one_at_a_time parameters"
    " trigger created_at updated_at deleted_at"
)
RUN_FIELDS = (
    "id kind script version status reason exit_code signal trigger schedule due_at late_ms created_at started_at"
    " finished_at duration_s cpu_s peak_memory_mb output_bytes isolation flags parent message memory_mb output_lines"
    " output_dropped processes_max isolation_why attempt not_before params explanation"
)
SCHEDULE_FIELDS = (
    "id script kind cron every_s at timezone enabled overlap missed jitter_s next_at start_at end_at delay_s paused_at"
    " paused_until max_parallel missed_cap retries retry_delay_s retry_backoff retry_max_delay_s last_success_at"
    " stale_since message params"
)

# As `web` does it.
PRINT_SCHEMA = """
import json, os
from tempo_site.web import lean_imports
lean_imports.install()
import django; django.setup()
from ninja.responses import NinjaJSONEncoder
import tempo_site.urls
from tempo_site.api import api
print(json.dumps(api.get_openapi_schema(), cls=NinjaJSONEncoder))
"""

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    """Django's test client by a name that is the server's."""
    return Client(headers={"host": "localhost"})


@functools.cache
def document() -> Mapping[str, Any]:
    """Return the OpenAPI document, which takes a while to make."""
    return api.get_openapi_schema()


def documented() -> Iterator[str]:
    """Every operation of the OpenAPI document as `METHOD /path`."""
    for path, methods in document()["paths"].items():
        for method in methods:
            yield f"{method.upper()} {path.removeprefix('/api/v1')}"


def call(operation: str, *, query: QueryParams = None, **headers: str) -> Any:
    """Call an operation on rows that do not exist; CSRF is enforced."""
    method, path = operation.split()
    address = "/api/v1" + re.sub(
        r"\{slug\}|\{name\}", "nothing", re.sub(r"\{\w+_id\}|\{number\}", "1", path)
    )
    client = Client(enforce_csrf_checks=True, headers={"host": "localhost", **headers})
    return client.generic(method, address, "", "application/json", query_params=query)


def assert_is_error(response: Any, status: int) -> dict[str, Any]:
    """The answer has the one error shape; returns what is in it."""
    assert response.status_code == status
    assert response.headers["Content-Type"].startswith("application/json")
    error: dict[str, Any] = json.loads(response.content)["error"]
    assert {"code", "message"} <= error.keys() <= {"code", "message", "hint", "fields"}
    assert "hint:" not in error["message"]
    return error


def test_it_has_exactly_the_promised_operations() -> None:
    assert set(documented()) == OPERATIONS


def test_it_is_closed_without_credentials() -> None:
    for operation in OPERATIONS:
        response = call(operation)
        assert_is_error(response, 401)
        assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_it_is_closed_to_a_wrong_key(settings: Any) -> None:
    settings.RATELIMIT_ENABLE = False  # all of these are of one address
    for operation in OPERATIONS:
        assert_is_error(call(operation, authorization="Bearer tempo_wrong"), 401)
        assert_is_error(call(operation, x_api_key="tempo_wrong"), 401)


def test_what_the_scope_of_a_key_does_not_allow_is_refused_in_the_shape_of_errors() -> None:
    token = ApiKey.issue(name="read", scope="read")[1]
    writing = [operation for operation in OPERATIONS if not operation.startswith("GET")]
    assert len(writing) > 20
    for operation in writing:
        assert_is_error(call(operation, authorization=f"Bearer {token}"), 403)


def test_a_key_that_is_limited_to_nothing_finds_nothing_anywhere() -> None:
    token = ApiKey.issue(name="limited", is_limited=True)[1]
    for operation in OPERATIONS:
        response = call(operation, x_api_key=token)
        if operation in FILTERED and response.status_code == 200:
            assert response.json()["items"] == []
        else:
            assert response.status_code in (404, 422), operation


def test_no_operation_answers_with_a_redirect() -> None:
    for operation in sorted(OPERATIONS):
        token = ApiKey.issue(name="tests")[1]  # some of them end it
        assert call(operation, x_api_key=token).status_code in (200, 202, 204, 404, 409, 422), (
            operation
        )


@each_row("operation", sorted(OPERATIONS - NEED_A_BODY))
def test_an_unknown_query_parameter_is_refused_and_the_known_ones_are_named(
    operation: str, key: str
) -> None:
    known = query_parameters(operation)
    asked = {**dict.fromkeys(REQUIRED_QUERY.get(operation, ()), "1"), "nonsense": "1"}
    error = assert_is_error(call(operation, query=asked, x_api_key=key), 422)
    assert error["message"] == "`nonsense` is not known here."
    assert error["fields"] == {"nonsense": error["message"]}
    assert re.findall("`(.+?)`", error["hint"]) == known
    assert known or error["hint"] == "this address takes no parameters"


def test_what_is_sent_in_the_address_instead_of_the_body_is_refused(program: Client) -> None:
    folder = {"path": "Ops"}
    response = program.post("/api/v1/folders", folder, "application/json", query_params=folder)
    assert assert_is_error(response, 422)["message"] == "`path` is not known here."


def test_a_filter_by_its_wrong_name_does_not_list_everything(key: str) -> None:
    error = assert_is_error(call("GET /runs", query={"state": "failed"}, x_api_key=key), 422)
    assert error["message"] == "`state` is not known here."
    assert error["hint"] == (
        "known are `limit`, `cursor`, `script`, `status`, `kind`, `q`, `folder`, `tag`, `reason`, `trigger`, `from`, "
        "`to`, `min_s`, `max_s`, `version`"
    )


def test_a_filter_named_twice_is_not_halved(key: str) -> None:
    asked = {"status": ["failed", "lost"]}
    error = assert_is_error(call("GET /runs", query=asked, x_api_key=key), 422)
    assert error["message"] == "`status` is given 2 times, and only one can count."


def test_strangers_do_not_hear_which_parameters_are_known() -> None:
    assert_is_error(call("GET /runs", query={"state": "failed"}), 401)


def query_parameters(operation: str) -> list[str]:
    """What the OpenAPI document says of an operation's query, in order."""
    method, path = operation.split()
    found = document()["paths"][f"/api/v1{path}"][method.lower()]
    return [item["name"] for item in found.get("parameters", ()) if item["in"] == "query"]


MADE = [
    ("/scripts", {"name": "Other"}),
    ("/scripts/hello/duplicate", None),
    ("/scripts/hello/schedules", {"kind": "startup"}),
    ("/scripts/hello/runs", None),
    ("/templates/hello", {"name": "Starter"}),
    ("/keys", {"name": "ci", "scope": "read"}),
    ("/channels", {"kind": "mail", "name": "Mail", "to": ["ann@example.org"]}),
]


@pytest.mark.parametrize(("path", "body"), MADE)
def test_what_is_made_is_found_where_the_answer_says(
    program: Client, path: str, body: object
) -> None:
    make_script("Hello")
    made = program.post(f"/api/v1{path}", body or {}, "application/json")
    assert made.status_code in (201, 202), made.content
    found = program.get(made.headers["Location"])
    names = {"id", "slug"} & made.json().keys()
    assert names and {name: found.json()[name] for name in names} == {
        name: made.json()[name] for name in names
    }


def test_the_tag_of_a_script_is_what_a_change_is_based_on(program: Client) -> None:
    make_script("Hello")
    tag = program.get("/api/v1/scripts/hello").headers["ETag"]
    statuses = []
    for code in ("print(1)", "print(2)"):
        change = program.patch(
            "/api/v1/scripts/hello", {"code": code}, "application/json", headers={"if-match": tag}
        )
        statuses.append(change.status_code)
    assert statuses == [200, 412]


def test_fields_have_their_promised_names() -> None:
    assert list(ScriptOut.model_fields) == SCRIPT_FIELDS.split()
    assert list(RunOut.model_fields) == RUN_FIELDS.split()
    assert list(ScheduleOut.model_fields) == SCHEDULE_FIELDS.split()


def test_it_documents_the_log_as_text() -> None:
    answer = document()["paths"]["/api/v1/runs/{run_id}/log"]["get"]["responses"][200]
    assert list(answer["content"]) == ["text/plain", "text/event-stream"]


def test_a_patch_documents_no_defaults() -> None:
    schemas = document()["components"]["schemas"]
    assert "default" not in str(schemas["ScriptPatch"]) + str(schemas["SchedulePatch"])


def test_it_documents_the_same_where_byte_code_has_no_docstrings() -> None:
    done = subprocess.run(
        [sys.executable, *byte_code.FLAGS, "-c", PRINT_SCHEMA],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    here = json.loads(json.dumps(api.get_openapi_schema(), cls=NinjaJSONEncoder))
    assert json.loads(done.stdout) == here
    assert min(len(text) for text in descriptions_of_operations(here)) > 10


def descriptions_of_operations(schema: dict[str, Any]) -> list[str]:
    found = []
    for methods in schema["paths"].values():
        found += [operation["description"] for operation in methods.values()]
    return found


@pytest.mark.parametrize("page", ["openapi-view", "openapi-json"])
def test_the_documentation_is_closed_to_strangers(client: Client, page: str) -> None:
    response = client.get(reverse(f"api-1:{page}"))
    assert response.status_code == 302
    assert response.headers["Location"].startswith("/login/")


def test_the_document_is_given_to_programs_with_a_key_and_the_page_is_not(
    program: Client, client: Client
) -> None:
    assert program.get("/api/v1/openapi.json").json()["openapi"].startswith("3.1")
    assert program.get("/api/v1/docs").status_code == 302
    wrong = client.get("/api/v1/openapi.json", headers={"X-API-Key": "tempo_wrong"})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (401, "unauthenticated")


def test_the_documentation_is_open_to_people(browser: Client) -> None:
    document = browser.get("/api/v1/openapi.json").json()
    assert set(document["components"]["securitySchemes"]) == {
        "KeyAuth",
        "HeaderKeyAuth",
        "SessionAuth",
    }
    assert "/api/v1/runs/{run_id}" in document["paths"]


def test_the_documentation_has_a_curl_line_for_each_operation(browser: Client) -> None:
    shown = browser.get("/api/v1/docs").content.decode()
    for operation in OPERATIONS:
        method, path = operation.split()
        assert f'id="{slugify(f"{method.lower()}{path}".replace("/", "-"))}"' in shown, operation
    assert shown.count("data-curl>curl ") == len(OPERATIONS)
    assert "<code data-curl>curl -X POST -H &quot;Authorization: Bearer $TEMPO_KEY&quot;" in shown
    assert "&#x27;http://localhost/api/v1/check&#x27;" in shown
    assert "<style" not in shown and " style=" not in shown
    for attributes in re.findall(r"<script([^>]*)>", shown):
        assert " src=" in attributes
