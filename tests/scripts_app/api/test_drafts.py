"""The draft of a script through the API, as its editor uses it."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from scripts_app.models import Draft, Script
from tempo_site.models import ApiKey
from tests.factories import make_script
from tests.rows import each_row

PATH = "/api/v1/scripts/hello/draft"
TEXT = {"code": "print(2)\n", "requirements": "", "python_version": ""}

pytestmark = pytest.mark.django_db


@pytest.fixture
def script() -> Script:
    return make_script("Hello", code="print(1)\n")


def put(client: Client, *, revision: object = 0, path: str = PATH, **changes: object) -> Any:
    """Save a draft; returns the response."""
    body = json.dumps(TEXT | changes)
    headers = {} if revision is None else {"if-match": f'"{revision}"'}
    return client.put(path, body, "application/json", headers=headers)


def patch(client: Client, *, revision: int | None, **changes: object) -> Any:
    """Save a version; returns the response."""
    headers = {} if revision is None else {"if-match": f'"{revision}"'}
    return client.patch(
        "/api/v1/scripts/hello", json.dumps(changes), "application/json", headers=headers
    )


def test_it_saves_and_answers_with_revision_and_problems(script: Script, program: Client) -> None:
    answer = put(program, code="import os\n", requirements="humanize\n-r other.txt\n")
    assert (answer.status_code, answer.headers["ETag"]) == (200, '"1"')
    saved = answer.json()
    assert (saved["revision"], saved["is_draft"], saved["saved_at"][-1]) == (1, True, "Z")
    assert [(found["field"], found["line"], found["severity"]) for found in saved["problems"]] == [
        ("requirements", 2, "error"),
        ("code", 1, "warning"),
    ]
    assert set(saved["problems"][0]) == {
        *(
            "field",
            "line",
            "column",
            "end_line",
            "end_column",
            "code",
            "message",
            "why",
            "severity",
        ),
        *("is_secret", "fix", "adds"),
    }


def test_what_was_saved_can_be_read_and_discarded(script: Script, program: Client) -> None:
    put(program)
    read = program.get(PATH)
    assert read.headers["ETag"] == '"1"'
    assert {name: read.json()[name] for name in TEXT} == TEXT
    assert program.delete(PATH).status_code == 428
    assert program.delete(PATH, headers={"If-Match": '"0"'}).status_code == 412
    left = program.delete(PATH, headers={"If-Match": '"1"'}).json()
    assert (left["code"], left["is_draft"], left["revision"]) == ("print(1)\n", False, 2)


def test_the_text_it_was_made_from_has_to_be_named(script: Script, program: Client) -> None:
    answer = put(program, revision=None)
    assert (answer.status_code, answer.json()["error"]["code"]) == (428, "revision_needed")
    assert not Draft.objects.exists()


@each_row("revision", ["x", "-1", "9" * 30, "*", ""])
def test_a_revision_that_is_none_is_refused(script: Script, program: Client, revision: str) -> None:
    assert put(program, revision=revision).status_code == 400


def test_a_conflict_brings_the_other_text(script: Script, program: Client, browser: Client) -> None:
    put(browser, code="theirs")
    answer = put(program, code="mine")
    assert (answer.status_code, answer.json()["error"]["code"]) == (412, "changed_meanwhile")
    assert answer.json()["yours"] == TEXT | {"code": "mine"}
    other = answer.json()["draft"]
    assert (other["code"], other["author"], other["revision"]) == ("theirs", "ann", 1)
    assert {"requirements", "python_version", "saved_at"} <= other.keys()
    assert Draft.objects.get().code == "theirs"


@pytest.mark.parametrize("field", ["code", "requirements", "python_version"])
def test_a_text_is_sent_whole_and_as_text(script: Script, program: Client, field: str) -> None:
    body = {name: value for name, value in TEXT.items() if name != field}
    for bad in (body, body | {field: 7}, body | {field: "\0"}):
        answer = program.put(PATH, json.dumps(bad), "application/json", headers={"if-match": '"0"'})
        assert (answer.status_code, list(answer.json()["error"]["fields"])) == (422, [field])


def test_a_version_takes_the_revision_too(script: Script, program: Client) -> None:
    put(program)
    assert patch(program, revision=0, **TEXT | {"code": "mine"}).status_code == 412
    saved = patch(program, revision=1, **TEXT).json()
    assert (saved["version"], saved["revision"], saved["code"]) == (2, 2, TEXT["code"])
    assert not Draft.objects.exists()


def test_a_version_without_revision_is_seen_at_the_next_draft(
    script: Script, program: Client
) -> None:
    assert patch(program, revision=None, code="theirs").json()["revision"] == 1
    assert put(program, revision=0, code="mine").status_code == 412


def test_a_session_needs_the_token_of_this_site(script: Script, user: User) -> None:
    person = Client(enforce_csrf_checks=True)
    person.force_login(user)
    assert put(person).status_code == 403
    person.get("/scripts/hello/")
    token = person.cookies["csrftoken"].value
    headers = {"if-match": '"0"', "x-csrftoken": token}
    assert (
        person.put(PATH, json.dumps(TEXT), "application/json", headers=headers).status_code == 200
    )
    assert str(Draft.objects.get().author) == "ann"


@pytest.mark.parametrize(("scope", "status"), [("read", 403), ("run", 403), ("full", 200)])
def test_only_a_key_of_full_scope_may_write(script: Script, scope: str, status: int) -> None:
    token = ApiKey.issue(name=scope, scope=scope)[1]
    client = Client(headers={"authorization": f"Bearer {token}"})
    assert put(client).status_code == status
    assert client.get(PATH).status_code == 200
    assert client.delete(PATH, headers={"if-match": '"1"'}).status_code == status


def test_an_autosave_costs_few_queries_whatever_there_is(script: Script, program: Client) -> None:
    put(program)
    with CaptureQueriesContext(connection) as queries:
        put(program, revision=1, code="print(3)\n")
    work = [query for query in queries if "SAVEPOINT" not in query["sql"]]
    assert len(work) <= 10
