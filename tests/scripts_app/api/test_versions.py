"""The versions of a script through the API."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from runs_app.states import Status
from scripts_app import scripts
from scripts_app.models import Environment, Script
from scripts_app.versions import drafts
from tests.factories import NOW, make_run, make_script

PATH = "/api/v1/scripts/hello/versions"

pytestmark = pytest.mark.django_db


@pytest.fixture
def script(user: User) -> Script:
    """A script of three versions."""
    script = make_script("Hello", code="print(1)\n")
    scripts.update(script, by=user, now=NOW, code="print(2)\n", note="two")
    return scripts.update(
        script, by=user, now=NOW, code="print(3)\n", requirements="humanize\n", memory_mb=64
    )


def send(program: Client, method: str, path: str, body: object = None) -> Any:
    """The decoded answer to a call that must succeed."""
    answer = program.generic(
        method, path, json.dumps(body) if body is not None else "", "application/json"
    )
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_they_are_listed_newest_first_without_their_texts(script: Script, program: Client) -> None:
    first = program.get(f"{PATH}?limit=2").json()
    assert [item["number"] for item in first["items"]] == [3, 2]
    assert [item["is_current"] for item in first["items"]] == [True, False]
    assert (first["items"][1]["note"], first["items"][1]["author"]) == ("two", "ann")
    assert "code" not in first["items"][0]
    rest = program.get(f"{PATH}?limit=2&cursor={first['next_cursor']}").json()
    assert ([item["number"] for item in rest["items"]], rest["next_cursor"]) == ([1], None)


def test_other_settings_have_another_hash(script: Script, program: Client) -> None:
    third, second, first = program.get(PATH).json()["items"]
    assert len(third["settings_hash"]) == 64
    assert third["settings_hash"] != second["settings_hash"] == first["settings_hash"]


def test_one_is_shown_with_its_texts_and_settings(script: Script, program: Client) -> None:
    version = program.get(f"{PATH}/3").json()
    assert (version["code"], version["requirements"]) == ("print(3)\n", "humanize\n")
    assert version["settings"]["memory_mb"] == 64
    assert program.get(f"{PATH}/9").status_code == 404


def test_a_note_can_be_changed_and_nothing_else(script: Script, program: Client) -> None:
    assert (
        send(program, "PATCH", f"{PATH}/1", {"note": " the first one "})["note"] == "the first one"
    )
    for body in ({"note": "a" * 201}, {"note": "two\nlines"}, {"code": "other"}, {}):
        answer = program.generic("PATCH", f"{PATH}/1", json.dumps(body), "application/json")
        assert answer.status_code == 422, body


def test_a_note_comes_with_a_new_version(script: Script, program: Client) -> None:
    send(program, "PATCH", "/api/v1/scripts/hello", {"code": "4", "note": "why"})
    assert program.get(f"{PATH}/4").json()["note"] == "why"


def test_the_difference_is_what_diff_writes(script: Script, program: Client) -> None:
    answer = program.get(f"{PATH}/diff?from=1&to=3")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.content.decode() == (
        "--- v1/main.py\n+++ v3/main.py\n@@ -1 +1 @@\n-print(1)\n+print(3)\n"
        "--- v1/requirements.txt\n+++ v3/requirements.txt\n@@ -0,0 +1 @@\n+humanize\n"
    )
    assert program.get(f"{PATH}/diff?from=2&to=2").content == b""


@pytest.mark.parametrize(
    ("query", "status"), [("", 422), ("?from=1", 422), ("?from=1&to=x", 422), ("?from=1&to=9", 404)]
)
def test_a_difference_needs_two_versions(
    script: Script, program: Client, query: str, status: int
) -> None:
    assert program.get(f"{PATH}/diff{query}").status_code == status


def test_one_is_restored_as_a_new_version(script: Script, program: Client) -> None:
    restored = send(program, "POST", f"{PATH}/1/restore")
    assert (restored["number"], restored["code"], restored["note"]) == (
        4,
        "print(1)\n",
        "Restored from v1",
    )
    assert restored["is_current"]
    script.refresh_from_db()
    assert (str(script.version), script.memory_mb) == ("v4", 64)


def test_restoring_what_is_current_makes_none(script: Script, program: Client) -> None:
    assert send(program, "POST", f"{PATH}/3/restore")["number"] == 3


def test_a_draft_is_kept_when_a_version_is_restored(script: Script, program: Client) -> None:
    revision = drafts.text(script).revision
    drafts.save(
        script,
        code="typed",
        requirements="",
        python_version="",
        based_on=revision,
        by=None,
        now=NOW,
    )
    assert send(program, "POST", f"{PATH}/1/restore")["number"] == 5
    kept = program.get(f"{PATH}/4").json()
    assert (kept["code"], kept["is_draft"]) == ("typed", True)


def test_a_kept_draft_can_be_restored(script: Script, program: Client) -> None:
    revision = drafts.text(script).revision
    drafts.save(
        script,
        code="typed",
        requirements="",
        python_version="",
        based_on=revision,
        by=None,
        now=NOW,
    )
    drafts.keep_idle(now=NOW + timedelta(minutes=10))
    assert program.get(PATH).json()["items"][0]["is_draft"]
    restored = send(program, "POST", f"{PATH}/4/restore")
    assert (restored["code"], restored["is_draft"], restored["is_current"]) == (
        "typed",
        False,
        True,
    )


def test_what_could_not_be_saved_today_is_not_restored(script: Script, program: Client) -> None:
    script.versions.filter(number=1).update(python_version="3.99")
    answer = program.post(f"{PATH}/1/restore")
    assert (answer.status_code, script.versions.count()) == (422, 3)
    assert "3.99" in answer.json()["error"]["message"]


def test_what_changed_between_the_last_good_and_the_first_bad_run(
    script: Script, program: Client
) -> None:
    assert program.get(f"{PATH}/last-good-to-first-bad").status_code == 404
    first, second, third = script.versions.order_by("number")
    old, new = (
        Environment.objects.create(interpreter=name, python="3.11.2") for name in ("/a", "/b")
    )
    Environment.objects.filter(pk=old.pk).update(state="ready", lock="humanize==4.0\n")
    Environment.objects.filter(pk=new.pk).update(state="ready", lock="humanize==4.1\n")
    make_run(script, version=first, status=Status.FAILED)
    good = make_run(script, version=second, status=Status.SUCCEEDED, environment=old, memory_mb=512)
    make_run(script, version=third, status=Status.CANCELLED)
    bad = make_run(script, version=third, status=Status.TIMED_OUT, environment=new, memory_mb=64)
    make_run(script, version=third, status=Status.FAILED)
    point = program.get(f"{PATH}/last-good-to-first-bad").json()
    assert (point["good_run"], point["bad_run"]) == (good.pk, bad.pk)
    assert (point["good_version"], point["bad_version"]) == (2, 3)
    assert "-print(2)\n+print(3)\n" in point["diff"]
    assert point["packages"] == [{"name": "humanize", "before": "4.0", "after": "4.1"}]
    assert {"name": "Memory", "before": "512 MB", "after": "64 MB"} in point["settings"]
