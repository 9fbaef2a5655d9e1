"""One shape for everything that goes wrong."""

import errno
import json
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.db import OperationalError
from django.http import HttpRequest
from django.test import Client
from ninja.errors import Throttled

from runs_app.triggers import triggers
from scripts_app.models import Script
from scripts_app.timing.rule import TimingError
from tempo_site import auth
from tempo_site.api import api
from tempo_site.api_errors import error
from tempo_site.lib import hosts
from tests.factories import make_script
from tests.rows import each_row

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    """Django's test client by a name that is the server's."""
    return Client(headers={"host": "localhost"})


@pytest.fixture
def program(key: str) -> Client:
    """A client with a key, which gets a 500 as an answer like everybody else."""
    return Client(headers={"host": "localhost", "x-api-key": key}, raise_request_exception=False)


def problem(response: Any, status: int) -> dict[str, Any]:
    """What an error answer says."""
    assert (response.status_code, response.headers["Content-Type"]) == (status, "application/json")
    return dict(response.json()["error"])


def post(
    client: Client, body: bytes | str, path: str = "/api/v1/scripts", kind: str = "application/json"
) -> Any:
    """Post a body as it is."""
    return client.post(path, body, kind)


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_a_body_of_another_type_than_json_is_a_415(program: Client, kind: str) -> None:
    found = problem(post(program, '{"name": "Hello"}', kind=kind), 415)
    assert found["code"] == "unsupported_type"
    assert found["hint"] == "send `Content-Type: application/json`"
    assert not Script.objects.exists()


def test_a_type_of_json_is_json(program: Client) -> None:
    kind = "application/merge-patch+json; charset=utf-8"
    assert post(program, '{"name": "Hello"}', kind=kind).status_code == 201


def test_an_upload_that_is_no_form_is_a_415(program: Client) -> None:
    make_script("Hello")
    found = problem(post(program, '{"folder": "a"}', "/api/v1/scripts/hello/files"), 415)
    assert found["hint"] == "send `Content-Type: multipart/form-data`"


@each_row(
    "path",
    [
        "",
        "nothing",
        "scripts/",
        "runs/abc",
        "runs/1/",
        "runs/-1",
        "scripts/a b",
        "scripts/a%0Ab",
        "schedules",
    ],
)
def test_an_unknown_address_is_a_404_for_everyone(client: Client, path: str) -> None:
    assert problem(client.get(f"/api/v1/{path}"), 404)["code"] == "not_found"
    assert problem(client.post(f"/api/v1/{path}"), 404)["code"] == "not_found"


@pytest.mark.parametrize(
    "path", ["scripts/nothing", "runs/1", "runs/99999999999999999999999", "schedules/1"]
)
def test_a_missing_row_is_a_404(program: Client, path: str) -> None:
    assert "There is no" in problem(program.get(f"/api/v1/{path}"), 404)["message"]


def test_a_wrong_method_is_a_405_that_names_the_right_ones(client: Client) -> None:
    response = client.put("/api/v1/scripts")
    assert problem(response, 405)["code"] == "method_not_allowed"
    assert set(response.headers["Allow"].split(", ")) == {"GET", "POST"}


@each_row(
    "body",
    [
        "",
        "{",
        "nope",
        '{"name": NaN}',
        '{"name": Infinity}',
        b"\xff\xfe",
        "[" * 100_000,
        "1" * 5000,
    ],
)
def test_a_body_that_is_no_json_is_a_400_or_422(program: Client, body: bytes | str) -> None:
    said = problem(post(program, body), 400 if body else 422)
    assert len(said["message"]) < 300


@pytest.mark.parametrize("body", ["[]", "null", '"text"', "3", "{}"])
def test_json_without_the_fields_is_a_422(program: Client, body: str) -> None:
    assert problem(post(program, body), 422)["fields"]


def test_what_is_no_object_is_told_in_words(program: Client) -> None:
    assert problem(post(program, "[]"), 422)["message"] == "`body` is to be an object with fields."


def test_a_word_that_is_none_of_several_lists_is_told_by_its_field(program: Client) -> None:
    fields = problem(program.get("/api/v1/runs?status=x"), 422)["fields"]
    assert fields.keys() == {"status"}
    assert fields["status"].startswith("`status` may be 'queued', ")
    assert fields["status"].endswith(" `status` may be 'bad', 'active' or ''.")


@each_row(
    ("method", "path", "body", "sentence"),
    [
        ("PATCH", "scripts/hello", {"memory_mb": 15}, "`memory_mb`: Use 16 or more."),
        ("PATCH", "scripts/hello", {"nice": 20}, "`nice`: Use 19 or less."),
        ("PATCH", "scripts/hello", {"timeout_s": -1}, "`timeout_s` is to be 0 or more."),
        ("PATCH", "scripts/hello", {"nice": "x"}, "`nice` is to be a valid integer."),
        (
            "POST",
            "scripts/hello/schedules",
            {"kind": "startup", "delay_s": 86401},
            "`delay_s` is 86401. Use 86400 or less.",
        ),
        ("GET", "runs?limit=201", None, "`limit` is to be 200 or less."),
        ("GET", "runs?cursor=x", None, "`cursor` is none that a list has given."),
    ],
)
def test_a_value_out_of_bounds_is_told_in_tempos_words(
    program: Client, method: str, path: str, body: object, sentence: str
) -> None:
    make_script("Hello")
    found = program.generic(method, f"/api/v1/{path}", json.dumps(body), "application/json")
    assert problem(found, 422)["message"] == sentence


@pytest.mark.parametrize("seconds", ["-1", "nan", "1e400"])
def test_seconds_that_no_run_takes_are_refused(program: Client, seconds: str) -> None:
    assert problem(program.get(f"/api/v1/runs?min_s={seconds}"), 422)["fields"].keys() == {"min_s"}


def test_parameters_that_exclude_each_other_are_not_called_a_body(program: Client) -> None:
    found = problem(program.get("/api/v1/runs/7/log?tail=1&from_line=2"), 422)
    assert found["fields"].keys() == {"parameters"}


def test_an_unknown_field_is_refused_by_name(program: Client) -> None:
    said = problem(post(program, '{"name": "x", "colour": "red"}'), 422)
    assert said["fields"] == {"colour": "`colour` is not known here."}


def test_a_flood_of_unknown_fields_gets_a_short_answer(program: Client) -> None:
    body = json.dumps({f"{'x' * 500}{number}": 1 for number in range(1000)})
    assert len(post(program, body).content) < 10_000


def test_a_form_is_not_taken_for_json(user: User) -> None:
    client = Client(enforce_csrf_checks=True, headers={"host": "localhost"})
    client.force_login(user)
    client.cookies["csrftoken"] = "a" * 32
    form = {"csrfmiddlewaretoken": "a" * 32, "name": "x"}
    assert problem(client.post("/api/v1/scripts", form), 400)["hint"]


def test_a_broken_form_is_a_400(user: User) -> None:
    client = Client(enforce_csrf_checks=True, headers={"host": "localhost"})
    client.force_login(user)
    client.cookies["csrftoken"] = "a" * 32
    assert problem(client.generic("POST", "/api/v1/scripts", b"broken", "multipart/form-data"), 400)


def test_thousands_of_query_fields_are_a_400(program: Client) -> None:
    assert problem(program.get("/api/v1/runs?" + "a&" * 2000), 400)


def test_what_only_staff_may_do_is_a_403_with_its_hint() -> None:
    response = api.on_exception(HttpRequest(), auth.StaffOnly(auth.ONLY_STAFF))
    assert response.status_code == 403
    assert json.loads(response.content)["error"] == {
        "code": "forbidden",
        "message": "Only staff may do that.",
        "hint": "ask a user of the staff",
    }


def test_too_many_requests_are_a_429() -> None:
    response = api.on_exception(HttpRequest(), Throttled(wait=5))
    assert (response.status_code, json.loads(response.content)["error"]["code"]) == (
        429,
        "too_many_requests",
    )


def test_a_body_that_is_too_large_is_a_413(program: Client, settings: LazySettings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    assert problem(post(program, " " * 1001), 413)["code"] == "too_large"


def test_a_refused_start_is_a_409_with_its_hint(program: Client, settings: LazySettings) -> None:
    make_script("Hello")
    settings.MIN_FREE_MB = 2**40
    said = problem(post(program, "{}", "/api/v1/scripts/hello/runs"), 409)
    assert "MB are free" in said["message"] and "PYSCHED_MIN_FREE_MB" in said["hint"]


def test_a_busy_database_is_a_503(program: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    make_script("Hello")
    monkeypatch.setattr(triggers, "start", raiser(OperationalError("database is locked")))
    assert problem(post(program, "{}", "/api/v1/scripts/hello/runs"), 503)["code"] == "unavailable"


@pytest.mark.parametrize(
    ("problem_", "status", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), 507, "is full"),
        (OSError(errno.EROFS, "Read-only file system"), 503, "cannot be written to"),
        (OSError(errno.EIO, "Input/output error"), 503, "fails"),
    ],
)
def test_a_disk_that_refuses_is_named(
    program: Client,
    monkeypatch: pytest.MonkeyPatch,
    problem_: OSError,
    status: int,
    words: str,
) -> None:
    make_script("Hello")
    monkeypatch.setattr(triggers, "start", raiser(problem_))
    said = problem(post(program, "{}", "/api/v1/scripts/hello/runs"), status)
    assert words in said["message"] and said["hint"]
    assert said["code"] == ("no_space" if status == 507 else "unavailable")


def test_another_error_of_the_system_is_a_defect(
    program: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_script("Hello")
    monkeypatch.setattr(triggers, "start", raiser(FileNotFoundError(errno.ENOENT, "gone")))
    assert problem(post(program, "{}", "/api/v1/scripts/hello/runs"), 500)["code"] == "server_error"


@pytest.mark.parametrize("address", ["/login/", "/api/nothing"])
def test_trouble_outside_of_all_views_is_named_on_pages_and_in_the_api(
    client: Client, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    client.raise_request_exception = False
    full = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(hosts, "is_allowed", raiser(full))
    response = client.get(address)
    assert response.status_code == 507
    assert b"is full" in response.content and b"free some space" in response.content


def test_a_defect_on_a_page_says_that_something_broke(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.raise_request_exception = False
    monkeypatch.setattr(hosts, "is_allowed", raiser(RuntimeError("secret detail")))
    response = client.get("/login/")
    assert response.status_code == 500
    assert b"Something broke" in response.content and b"secret" not in response.content


def test_a_defect_is_a_500_without_details(
    program: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_script("Hello")
    monkeypatch.setattr(triggers, "start", raiser(RuntimeError("secret detail")))
    response = post(program, "{}", "/api/v1/scripts/hello/runs")
    assert problem(response, 500)["code"] == "server_error"
    assert b"secret" not in response.content


def raiser(exception: Exception) -> Any:
    """A function that raises."""

    def fail(*_: object, **__: object) -> None:
        raise exception

    return fail


def test_a_hint_stands_apart_from_its_message() -> None:
    assert json.loads(error(409, "No.\nhint: try again").content) == {
        "error": {"code": "conflict", "message": "No.", "hint": "try again"}
    }


def test_a_rule_of_timing_names_its_field() -> None:
    response = api.on_exception(HttpRequest(), TimingError("cron", "hour 24\nhint: use 0-23"))
    assert json.loads(response.content)["error"] == {
        "code": "invalid",
        "message": "hour 24",
        "hint": "use 0-23",
        "fields": {"cron": "hour 24"},
    }
