"""A text is looked at by API: any text gets an answer, and nothing is stored."""

import json
from typing import Any

import pytest
from django.test import Client

from scripts_app.models import Draft, Version
from scripts_app.versions import drafts
from tempo_site.models import ApiKey
from tests.factories import make_script

pytestmark = pytest.mark.django_db


@pytest.fixture
def program() -> Client:
    token = ApiKey.issue(name="tests")[1]
    return Client(headers={"authorization": f"Bearer {token}"})


def check(client: Client, **fields: Any) -> Any:
    return client.post("/api/v1/check", json.dumps(fields), "application/json")


def test_each_problem_has_its_place_reason_and_fix(program: Client) -> None:
    (problem,) = check(program, code="x = 1\r\nprint(f'a')\r\n").json()["problems"]
    assert problem["fix"] == {
        "message": "Remove extraneous `f` prefix",
        "edits": [{"line": 2, "column": 7, "end_line": 2, "end_column": 11, "content": "'a'"}],
    }
    assert (problem["line"], problem["severity"], problem["field"]) == (2, "warning", "code")
    assert problem["why"]


def test_requirements_and_python_are_looked_at_too(program: Client) -> None:
    found = check(program, code="", requirements="-e .\n", python_version="3.99").json()["problems"]
    assert [problem["field"] for problem in found] == ["python_version", "requirements"]


@pytest.mark.parametrize(
    "code", ["\0", "\ud800", "(" * 5000, "x" * 4_000_000, "# coding: utf-7\n+AG8-"]
)
def test_a_hostile_text_gets_an_answer_like_any_other(program: Client, code: str) -> None:
    answer = check(program, code=code)
    assert (answer.status_code, len(answer.json()["problems"])) == (200, 1)


def test_nothing_is_stored(program: Client) -> None:
    check(program, code="x = (")
    assert not Draft.objects.exists() and not Version.objects.exists()


def test_a_script_called_check_keeps_its_addresses(program: Client) -> None:
    make_script("Check")
    assert program.get("/api/v1/scripts/check").status_code == 200


def test_a_field_that_is_none_is_named(program: Client) -> None:
    assert check(program, code="", text="").json()["error"]["fields"] == {
        "text": "`text` is not known here."
    }


def test_a_run_that_python_cannot_read_is_a_conflict_with_its_line(program: Client) -> None:
    script = make_script(code="x = 1\ny = (\n")
    answer = program.post(f"/api/v1/scripts/{script.slug}/runs", {}, "application/json")
    assert (
        answer.status_code,
        "line 2: '(' was never closed" in answer.json()["error"]["message"],
    ) == (409, True)


def test_a_draft_says_what_is_wrong_with_it(program: Client) -> None:
    script = make_script()
    body = {"code": "eval(input())\n", "requirements": "", "python_version": ""}
    answer = program.put(
        f"/api/v1/scripts/{script.slug}/draft",
        body,
        "application/json",
        headers={"if-match": '"0"'},
    ).json()
    assert [(one["code"], one["severity"]) for one in answer["problems"]] == [("S307", "security")]
    assert drafts.text(script).is_draft
