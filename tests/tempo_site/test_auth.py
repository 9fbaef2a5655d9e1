"""Keys and sessions."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone

from tempo_site import auth
from tempo_site.models import ApiKey
from tests.refusals import refusal
from tests.rows import each_row

LONG = "0123456789abcdefghijklmnopqrstuvwxyz"
NOW = timezone.now()

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    """Django's test client by a name that is the server's."""
    return Client(headers={"host": "localhost"})


@pytest.mark.parametrize("name", ["Authorization", "authorization"])
def test_it_finds_a_bearer_key_whatever_the_case_of_the_header(name: str) -> None:
    key, token = ApiKey.issue(name="ci")
    assert auth.key_of_headers({name: f"bearer {token}"}) == key


@pytest.mark.parametrize("name", ["X-API-Key", "x-api-key"])
def test_it_finds_a_key_in_its_own_header(name: str) -> None:
    key, token = ApiKey.issue(name="ci")
    assert auth.key_of_headers({name: token}) == key


@each_row(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer "},
        {"X-API-Key": "x" * 9999},
        {"X-API-Key": "ä\0"},
    ],
)
def test_it_finds_no_key_where_there_is_none(headers: dict[str, str]) -> None:
    ApiKey.issue(name="ci")
    assert auth.key_of_headers(headers) is None


def test_it_leaves_other_authorization_schemes_to_the_proxy(browser: Client) -> None:
    assert browser.get("/api/v1/runs", headers={"authorization": "Basic YTpi"}).status_code == 200


def test_it_notes_the_use_of_a_key_at_most_once_in_five_minutes() -> None:
    key, _ = ApiKey.issue(name="ci")
    for seconds in (0, 61, 299):
        auth.touch(key, address="192.0.2.1", now=NOW + timedelta(seconds=seconds))
    key.refresh_from_db()
    assert key.last_used_at == NOW
    auth.touch(key, address="192.0.2.1", now=NOW + timedelta(seconds=301))
    key.refresh_from_db()
    assert key.last_used_at == NOW + timedelta(seconds=301)


@pytest.fixture
def read_only(transactional_db: None) -> Iterator[Callable[[], None]]:
    """Have SQLite refuse every write of this connection, as it does on a disk that is read-only."""
    yield lambda: set_read_only(True)
    set_read_only(False)


def set_read_only(value: bool) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA query_only = {value:d}")


def test_a_key_reads_from_a_disk_that_is_read_only(
    client: Client, key: str, read_only: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    read_only()
    for _ in range(2):
        assert client.get("/api/v1/runs", headers={"x-api-key": key}).status_code == 200
    assert caplog.text.count("could not be noted") == 1


@pytest.mark.django_db(transaction=True)
def test_a_key_reads_at_once_while_another_holds_the_write_lock(
    client: Client, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    with holding_the_write_lock():
        response = client.get("/api/v1/runs", headers={"x-api-key": key})
    assert response.status_code == 200
    assert ApiKey.objects.get().last_used_at is None and "could not be noted" in caplog.text
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        assert cursor.fetchone()[0] > 0, "others wait as before"


@contextmanager
def holding_the_write_lock() -> Iterator[None]:
    """Another connection that writes, for as long as it likes."""
    other = sqlite3.connect(str(connection.settings_dict["NAME"]), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def test_signing_in_on_a_disk_that_is_read_only_is_refused_by_name(
    client: Client, user: User, read_only: Callable[[], None]
) -> None:
    client.raise_request_exception = False
    read_only()
    response = client.post("/login/", {"username": "ann", "password": "correct horse"})
    text = response.content.decode()
    assert response.status_code == 503 and "cannot be written to" in text
    assert "busy" not in text


def test_a_session_reads_from_a_disk_that_is_read_only(
    browser: Client, read_only: Callable[[], None]
) -> None:
    read_only()
    for path in ("/", "/scripts/", "/runs/", "/environments/", "/api/v1/runs"):
        assert browser.get(path).status_code == 200, path


def test_a_call_notes_that_its_key_was_used(client: Client, key: str) -> None:
    client.get("/api/v1/runs", headers={"x-api-key": key})
    assert ApiKey.objects.get().last_used_at is not None


def test_a_wrong_key_is_not_saved_by_a_session(browser: Client) -> None:
    assert browser.get("/api/v1/runs", headers={"x-api-key": "tempo_wrong"}).status_code == 401


def test_a_session_may_read(browser: Client) -> None:
    assert browser.get("/api/v1/runs").status_code == 200


def test_a_session_may_not_write_without_the_csrf_token(user: User) -> None:
    client = Client(enforce_csrf_checks=True, headers={"host": "localhost"})
    client.force_login(user)
    response = client.post("/api/v1/scripts", {"name": "x"}, "application/json")
    assert response.status_code == 403
    assert "X-CSRFToken" in response.json()["error"]["hint"]


def test_a_session_behind_an_unknown_proxy_is_told_what_to_set(user: User) -> None:
    client = Client(enforce_csrf_checks=True, headers={"host": "localhost"})
    client.force_login(user)
    headers = {"origin": "https://tempo.example.org"}
    response = client.post("/api/v1/scripts", {"name": "x"}, "application/json", headers=headers)
    assert response.status_code == 403
    assert "PYSCHED_PUBLIC_URL" in response.json()["error"]["hint"]


def test_a_session_may_write_with_the_csrf_token(user: User) -> None:
    client = Client(enforce_csrf_checks=True, headers={"host": "localhost"})
    client.force_login(user)
    token = "a" * 32
    client.cookies["csrftoken"] = token
    response = client.post(
        "/api/v1/scripts", {"name": "x"}, "application/json", headers={"x-csrftoken": token}
    )
    assert response.status_code == 201


def test_a_key_needs_no_csrf_token(key: str) -> None:
    client = Client(enforce_csrf_checks=True, headers={"host": "localhost"})
    response = client.post(
        "/api/v1/scripts", {"name": "x"}, "application/json", headers={"x-api-key": key}
    )
    assert response.status_code == 201


def test_a_session_of_a_disabled_user_is_worth_nothing(browser: Client, user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert browser.get("/api/v1/runs").status_code == 401


def test_it_lets_staff_and_keys_change_what_all_scripts_share(staff: User) -> None:
    root, key = auth.Caller(name="root", user=staff), auth.Caller(name="key: ci")
    for caller in (staff, root, key):
        assert refusal(partial(auth.require_staff, caller), auth.StaffOnly) == ""


def test_it_refuses_a_user_who_is_not_staff(user: User) -> None:
    for caller in (user, auth.Caller(name="ann", user=user)):
        with pytest.raises(auth.StaffOnly, match="Only staff may do that"):
            auth.require_staff(caller)
    with pytest.raises(auth.StaffOnly, match="set by staff"):
        auth.require_staff(user, "Variables are set by staff.")
