"""Variables through the API: a secret's value goes in and never comes out."""

import json
from typing import Any

import pytest
from django.test import Client

from scripts_app.models import Variable
from scripts_app.variables import variables
from tests.factories import make_script
from tests.rows import each_row

pytestmark = pytest.mark.django_db

VALUE = "s3cr3t value"


def send(client: Client, method: str, path: str, body: object = None) -> tuple[int, Any]:
    """Call the API; returns status and decoded answer."""
    response = client.generic(method, f"/api/v1{path}", json.dumps(body), "application/json")
    assert VALUE not in response.content.decode()
    return response.status_code, response.json() if response.content else None


@pytest.mark.parametrize("scope", ["/variables", "/scripts/hello-world/variables"])
def test_a_variable_is_set_listed_and_deleted(program: Client, scope: str) -> None:
    make_script()
    status, answer = send(program, "PUT", f"{scope}/GREETING", {"value": "hello"})
    assert status == 200
    told = {
        "name": "GREETING",
        "value": "hello",
        "secret": False,
        "readable": True,
        "updated_by": "key: tests",
    }
    assert answer == {**told, "updated_at": answer["updated_at"]}
    assert [item["name"] for item in send(program, "GET", scope)[1]["items"]] == ["GREETING"]
    assert send(program, "DELETE", f"{scope}/GREETING") == (204, None)
    assert send(program, "DELETE", f"{scope}/GREETING")[0] == 404


def test_of_a_secret_only_that_it_is_set_when_and_by_whom(program: Client) -> None:
    _, answer = send(program, "PUT", "/variables/TOKEN", {"value": VALUE, "secret": True})
    assert (answer["secret"], answer["value"], answer["readable"], answer["updated_by"]) == (
        True,
        None,
        True,
        "key: tests",
    )
    assert send(program, "GET", "/variables")[1] == {"items": [answer], "next_cursor": None}
    assert variables.for_run(make_script()).secrets == {"TOKEN": VALUE}


def test_a_new_value_for_a_secret_does_not_make_it_plain(program: Client) -> None:
    send(program, "PUT", "/variables/TOKEN", {"value": "old value", "secret": True})
    assert send(program, "PUT", "/variables/TOKEN", {"value": VALUE})[1]["secret"]


@each_row(
    ("name", "body", "field"),
    [("PATH", {"value": VALUE, "secret": True}, "name"), ("1A", {"value": VALUE}, "name"),
     ("A", {"value": VALUE + "\0"}, "value"), ("A", {"value": [VALUE]}, "value"), ("A", {}, "value"),
     ("A", {"value": "x", "secret": VALUE}, "secret"), ("A", {"value": VALUE, "more": VALUE}, "more"),
     ("A", {"value": VALUE * 4000}, "value")],
)  # fmt: skip
def test_what_is_refused_says_where_and_does_not_repeat_it(
    program: Client, name: str, body: Any, field: str
) -> None:
    status, answer = send(program, "PUT", f"/variables/{name}", body)
    assert status == 422 and list(answer["error"]["fields"]) == [field]
    assert not Variable.objects.exists()


def test_a_list_goes_on_behind_its_cursor(program: Client) -> None:
    for name in "ABC":
        variables.save(None, name=name, value="1", by="ann")
    first = send(program, "GET", "/variables?limit=2")[1]
    rest = send(program, "GET", f"/variables?limit=2&cursor={first['next_cursor']}")[1]
    assert [item["name"] for item in first["items"] + rest["items"]] == ["A", "B", "C"]
    assert rest["next_cursor"] is None


def test_those_for_all_are_set_by_staff(browser: Client, staff: Any) -> None:
    make_script()
    assert send(browser, "PUT", "/variables/A", {"value": "1"})[0] == 403
    assert send(browser, "DELETE", "/variables/A")[0] == 403
    assert send(browser, "PUT", "/scripts/hello-world/variables/A", {"value": "1"})[0] == 200
    browser.force_login(staff)
    assert send(browser, "PUT", "/variables/A", {"value": "1"})[0] == 200


def test_a_defect_is_reported_without_the_value(
    program: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(variables, "save", broken)
    assert send(program, "PUT", "/variables/TOKEN", {"value": VALUE, "secret": True})[0] == 500
    assert "a defect" in caplog.text and VALUE not in caplog.text
