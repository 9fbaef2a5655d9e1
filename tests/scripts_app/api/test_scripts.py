"""Scripts through the API."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from scripts_app.models import Environment, Script
from scripts_app.scripts import SET_BY_STAFF
from tests.calling import send
from tests.factories import make_script
from tests.rows import each_row

pytestmark = pytest.mark.django_db

HOSTILE = (
    "<script>alert(1)</script>",
    "{{7*7}}",
    '"><img src=x onerror=alert(1)>',
    "a\u202eb",
    "x" * 200,
    "日本語 ok",
)


def create(client: Client, **fields: object) -> Any:
    """Create a script that must be accepted."""
    status, answer = send(client, "POST", "/scripts", fields)
    assert status == 201, answer
    return answer


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Data Backup Script!", "data-backup-script"),
        ("API Call #1", "api-call-1"),
        ("日本語", "script"),
    ],
)
def test_it_creates_a_script_under_a_safe_name(program: Client, name: str, slug: str) -> None:
    answer = create(program, name=name)
    assert (answer["slug"], answer["name"]) == (slug, name)


def test_a_second_script_of_a_name_gets_a_number(program: Client) -> None:
    assert [create(program, name="Hello World")["slug"] for _ in range(2)] == [
        "hello-world",
        "hello-world-2",
    ]


WHOLE: dict[str, Any] = {
    "name": "Hello",
    "folder": "Ops/Nightly",
    "code": "print(1)\n",
    "requirements": "humanize",
    "tags": ["a"],
}


def test_it_answers_with_the_whole_script(program: Client, settings: Any) -> None:
    answer = create(program, **WHOLE)
    environment = answer.pop("environment")
    times = [answer.pop(name) for name in ("created_at", "updated_at")]
    assert answer == WHOLE | {
        "slug": "hello",
        "description": "",
        "enabled": True,
        "python_version": "",
        "version": 1,
        "revision": 0,
        "timeout_s": settings.DEFAULT_TIMEOUT_S,
        "memory_mb": settings.DEFAULT_MEMORY_MB,
        "cpu_s": 0,
        "processes": 64,
        "output_mb": 10,
        "file_mb": 2048,
        "nice": 5,
        "as_service_user": False,
        "allow_source": False,
        "one_at_a_time": False,
        "parameters": [],
        "trigger": {"enabled": False, "get": False, "key_in_url": False},
        "deleted_at": None,
    }
    assert environment["state"] == "wanted" and environment["python"]
    assert all(time.endswith("Z") for time in times)


def test_what_was_created_can_be_read(program: Client) -> None:
    answer = create(program, name="Hello")
    assert send(program, "GET", "/scripts/hello") == (200, answer)


def test_it_takes_limits(program: Client) -> None:
    more = {"output_mb": 3, "file_mb": 0, "nice": 19, "as_service_user": True}
    answer = create(
        program, name="Hello", timeout_s=0, memory_mb=1024, cpu_s=60, processes=8, **more
    )
    assert {name: answer[name] for name in more} == more
    assert (answer["timeout_s"], answer["memory_mb"], answer["cpu_s"], answer["processes"]) == (
        0,
        1024,
        60,
        8,
    )


@each_row(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "..."),
        ("name", "x" * 300),
        ("name", 7),
        ("name", None),
        ("name", "\ud800"),
        ("description", "\ud800"),
        ("requirements", "\udfff"),
        ("tags", ["\ud800"]),
        ("folder", "a/../b"),
        ("code", "\0"),
        ("requirements", "-r other.txt"),
        ("python_version", "2.7"),
        ("tags", "a"),
        ("tags", ["x" * 60]),
        ("timeout_s", -1),
        ("timeout_s", 10**30),
        ("timeout_s", "60"),
        ("timeout_s", True),
        ("output_mb", 0),
        ("nice", 20),
        ("as_service_user", 1),
        ("memory_mb", 1),
        ("processes", 0),
    ],
)
def test_it_refuses_what_cannot_be_saved_and_names_the_field(
    program: Client, field: str, value: object
) -> None:
    status, answer = send(program, "POST", "/scripts", {"name": "Hello", field: value})
    assert status == 422
    assert [name.partition(".")[0] for name in answer["error"]["fields"]] == [field]
    assert not Script.objects.exists()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_text(program: Client, name: str) -> None:
    answer = create(program, name=name)
    assert answer["name"] == name
    assert set(answer["slug"]) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Other"},
        {"folder": "A/B"},
        {"description": "text"},
        {"tags": ["b", "c"]},
        {"enabled": False},
        {"timeout_s": 5},
        {"output_mb": 4, "file_mb": 7, "nice": 0, "as_service_user": True},
        {"memory_mb": 64},
        {"cpu_s": 5},
        {"processes": 5},
    ],
)
def test_a_patch_changes_what_it_names_and_nothing_else(
    program: Client, change: dict[str, Any]
) -> None:
    before = create(program, name="Hello", code="print(1)\n")
    status, after = send(program, "PATCH", "/scripts/hello", change)
    assert status == 200
    assert after == before | change | {"updated_at": after["updated_at"]}


def test_new_code_is_a_new_version(program: Client) -> None:
    create(program, name="Hello", code="print(1)\n")
    _, after = send(program, "PATCH", "/scripts/hello", {"code": "print(2)\n"})
    assert (after["version"], after["code"]) == (2, "print(2)\n")
    _, same = send(program, "PATCH", "/scripts/hello", {"code": "print(2)\n"})
    assert same["version"] == 2


@each_row("field", ["slug", "version", "environment", "created_at", "updated_at"])
def test_a_patch_refuses_what_the_server_decides(program: Client, field: str) -> None:
    create(program, name="Hello")
    status, answer = send(program, "PATCH", "/scripts/hello", {field: "x"})
    assert (status, list(answer["error"]["fields"])) == (422, [field])


def test_a_deleted_script_is_gone_from_the_api(program: Client) -> None:
    create(program, name="Hello")
    assert send(program, "DELETE", "/scripts/hello") == (204, None)
    assert send(program, "GET", "/scripts/hello")[0] == 404
    assert send(program, "POST", "/scripts/hello/runs")[0] == 404
    assert send(program, "GET", "/scripts")[1] == {"items": [], "next_cursor": None}


def test_it_pages_through_all_scripts(program: Client) -> None:
    for number in range(5):
        make_script(f"Script {number}")
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = send(program, "GET", f"/scripts?limit=2&cursor={cursor}")[1]
        seen += [item["slug"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert seen == [f"script-{number}" for number in range(5)]


@pytest.mark.parametrize("limit", ["0", "201", "x", "9" * 30])
def test_it_refuses_a_page_of_an_impossible_size(program: Client, limit: str) -> None:
    status, answer = send(program, "GET", f"/scripts?limit={limit}")
    assert (status, list(answer["error"]["fields"])) == (422, ["limit"])


def test_a_failed_environment_says_why(program: Client) -> None:
    create(program, name="Hello")
    Environment.objects.update(state="failed", message="no version of `reqests` was found")
    environment = send(program, "GET", "/scripts/hello")[1]["environment"]
    assert (environment["state"], environment["message"]) == (
        "failed",
        "no version of `reqests` was found",
    )


DECLARING = """# /// script
# [tool.tempo.parameters]
# days = { type = "int", default = 7 }
# ///
"""


def test_a_list_shows_each_script_as_it_is_shown_alone(program: Client) -> None:
    create(program, name="Wanted", folder="Ops/Nightly", requirements="attrs", nice=3)
    ready = make_script("Ready", code=DECLARING)
    make_script("Listening", parameters=[{"name": "day", "type": "text"}])
    send(program, "PUT", "/scripts/listening/trigger", {"enabled": True, "get": True})
    Script.objects.filter(pk=ready.pk).update(wanted_environment=None)
    listed = send(program, "GET", "/scripts")[1]["items"]
    assert [item["trigger"]["get"] for item in listed] == [True, False, False]
    assert [item["environment"]["state"] for item in listed] == ["ready", "ready", "wanted"]
    assert [len(item["parameters"]) for item in listed] == [1, 1, 0]
    for item in listed:
        assert item == send(program, "GET", f"/scripts/{item['slug']}")[1]


def test_the_list_costs_the_same_for_1_and_for_100_scripts(program: Client) -> None:
    make_script("Script", folder="A")
    send(program, "GET", "/scripts")  # notes the use of the key
    with CaptureQueriesContext(connection) as one:
        send(program, "GET", "/scripts?limit=200")
    for number in range(20):
        make_script(f"Script {number}", folder=f"A/{number}")
    with CaptureQueriesContext(connection) as many:
        send(program, "GET", "/scripts?limit=200")
    assert len(many) <= len(one) <= 2  # the key, the page


def test_a_limit_beyond_its_bound_is_refused_with_a_hint(program: Client, settings: Any) -> None:
    create(program, name="Hello")
    settings.MAX_TIMEOUT_S = 60
    status, answer = send(program, "PATCH", "/scripts/hello", {"timeout_s": 0})
    assert (status, list(answer["error"]["fields"])) == (422, ["timeout_s"])
    assert (
        answer["error"]["hint"].startswith("use 60 or less")
        and "PYSCHED_MAX_SCRIPT_TIMEOUT" in answer["error"]["hint"]
    )


def test_a_deleted_script_is_listed_apart_and_restored(program: Client) -> None:
    before = create(program, name="Hello", folder="Ops")
    send(program, "DELETE", "/scripts/hello")
    assert send(program, "GET", "/scripts")[1]["items"] == []
    deleted = send(program, "GET", "/scripts?deleted=true")[1]["items"]
    assert [(item["slug"], item["deleted_at"] is None) for item in deleted] == [("hello", False)]
    status, after = send(program, "POST", "/scripts/hello/restore")
    assert (status, after) == (200, before | {"updated_at": after["updated_at"]})
    assert send(program, "POST", "/scripts/hello/restore")[0] == 404


def test_a_script_is_duplicated(program: Client) -> None:
    before = create(program, name="Hello", folder="Ops", code="print(1)\n")
    status, copy = send(program, "POST", "/scripts/hello/duplicate")
    assert (status, copy["name"], copy["folder"], copy["enabled"]) == (
        201,
        "Hello (copy)",
        "Ops",
        False,
    )
    assert copy["code"] == before["code"]
    assert (
        send(program, "POST", "/scripts/hello/duplicate", {"name": "Else", "folder": ""})[1]["slug"]
        == "else"
    )
    status, refusal = send(program, "POST", "/scripts/hello/duplicate", {"name": "..."})
    assert (status, list(refusal["error"]["fields"])) == (422, ["name"])


# --- what is set by staff -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("field", SET_BY_STAFF)
def test_a_session_of_a_user_who_is_not_staff_is_refused_by_field(
    browser: Client, field: str
) -> None:
    make_script("Hello")
    for method, path, body in (
        ("POST", "/scripts", {"name": "Mine", field: True}),
        ("PATCH", "/scripts/hello", {field: True}),
    ):
        status, answer = send(browser, method, path, body)
        assert (status, answer["error"]["code"]) == (403, "forbidden")
        assert "is set by staff" in answer["error"]["fields"][field]
        assert answer["error"]["hint"] == "ask a user of the staff"
    assert not getattr(Script.objects.get(), field)


@pytest.mark.parametrize("field", SET_BY_STAFF)
def test_a_whole_script_that_is_sent_back_changes_nothing_of_staff(
    browser: Client, program: Client, field: str
) -> None:
    create(program, name="Hello", **{field: True})
    status, answer = send(browser, "PATCH", "/scripts/hello", {field: True, "timeout_s": 7})
    assert (status, answer["timeout_s"], answer[field]) == (200, 7, True)
