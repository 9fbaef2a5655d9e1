"""Folders through the API."""

import pytest
from django.test import Client

from scripts_app.models import Script
from tests.calling import send
from tests.factories import make_script
from tests.rows import each_row

pytestmark = pytest.mark.django_db


def make(client: Client, path: str) -> int:
    status, answer = send(client, "POST", "/folders", {"path": path})
    assert status == 201, answer
    return int(answer["id"])


def test_folders_are_made_and_listed_with_what_is_in_them(program: Client) -> None:
    make(program, "Ops/Nightly")
    make_script(folder="Ops/Nightly")
    items = send(program, "GET", "/folders")[1]["items"]
    assert [(item["path"], item["scripts"]) for item in items] == [("Ops", 1), ("Ops/Nightly", 1)]


def test_the_list_has_pages(program: Client) -> None:
    make(program, "A/B/C")
    first = send(program, "GET", "/folders?limit=2")[1]
    rest = send(program, "GET", f"/folders?limit=2&cursor={first['next_cursor']}")[1]
    assert [item["path"] for item in first["items"] + rest["items"]] == ["A", "A/B", "A/B/C"]
    assert rest["next_cursor"] is None


def test_a_folder_is_renamed_with_what_is_below(program: Client) -> None:
    script = make_script(folder="Ops/Nightly")
    number = send(program, "GET", "/folders")[1]["items"][0]["id"]
    status, answer = send(program, "PATCH", f"/folders/{number}", {"path": "Work"})
    assert (status, answer) == (200, {"id": number, "path": "Work", "scripts": 1})
    assert send(program, "GET", f"/scripts/{script.slug}")[1]["folder"] == "Work/Nightly"


def test_one_that_holds_a_script_is_deleted_only_when_that_is_confirmed(program: Client) -> None:
    make_script(folder="Ops")
    number = send(program, "GET", "/folders")[1]["items"][0]["id"]
    status, answer = send(program, "DELETE", f"/folders/{number}")
    assert (status, list(answer["error"]["fields"])) == (422, ["confirm"])
    assert "hint" in answer["error"]
    assert send(program, "DELETE", f"/folders/{number}", {"confirm": "Ops"}) == (204, None)
    assert not Script.objects.present().exists()


@each_row("path", ["", "..", "a//b", "\ud800", "x" * 301, 7, None])
def test_a_path_that_is_none_is_refused_by_its_field(program: Client, path: object) -> None:
    status, answer = send(program, "POST", "/folders", {"path": path})
    assert (status, list(answer["error"]["fields"])) == (422, ["path"])


def test_a_folder_that_is_not_there_is_missing(program: Client) -> None:
    assert send(program, "PATCH", "/folders/1", {"path": "A"})[0] == 404
    assert send(program, "DELETE", "/folders/99999999999999999999")[0] == 404
