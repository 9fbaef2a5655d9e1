"""Limits: who has come too often is told when to come again, and nobody else notices."""

import tracemalloc

import pytest
from django.contrib.auth.models import User
from django.core.cache import caches
from django.test import Client
from pytest_django import Settings

from tempo_site.accounts import rate_limits, tokens
from tempo_site.accounts.rate_limits import API, LOG_IN_OF_ADDRESS, SET_UP, WRONG_KEYS, RateLimit
from tempo_site.models import ApiKey

SMALL = RateLimit(name="small", count=3, seconds=60)


def client_with(token: str) -> Client:
    return Client(headers={"host": "localhost", "x-api-key": token})


@pytest.fixture(autouse=True)
def one_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock stands still, so that no window ends within a test."""
    monkeypatch.setattr("django_ratelimit.core.time.time", lambda: 1_800_000_000.5)


def test_what_is_beyond_the_limit_is_told_and_others_are_free() -> None:
    taken = [rate_limits.take(SMALL, "ann") for _ in range(4)]
    assert [usage and (usage.left, usage.is_over) for usage in taken] == [
        (2, False),
        (1, False),
        (0, False),
        (0, True),
    ]
    assert rate_limits.is_free(SMALL, "bob")


def test_a_new_window_begins_with_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(4):
        rate_limits.take(SMALL, "ann")
    monkeypatch.setattr("django_ratelimit.core.time.time", lambda: 1_800_000_061.5)
    assert rate_limits.is_free(SMALL, "ann")


def test_limits_can_be_switched_off(settings: Settings) -> None:
    settings.RATELIMIT_ENABLE = False
    assert all(rate_limits.is_free(SMALL, "ann") for _ in range(10))


def test_a_flood_of_addresses_takes_a_bounded_memory_and_forgets_nobody_who_comes() -> None:
    tracemalloc.start()
    try:
        for number in range(30_000):
            rate_limits.take(SMALL, f"2001:db8:{number >> 16:x}:{number & 0xFFFF:x}::/64")
            if number % 1000 == 0:
                rate_limits.take(API, "key 1")
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size < 10 * 2**20
    usage = rate_limits.take(API, "key 1")
    assert usage and usage.left == API.count - 31


@pytest.mark.django_db
def test_a_key_is_told_its_limit_with_each_answer(key: str) -> None:
    answer = client_with(key).get("/api/v1/runs")
    assert answer.headers["RateLimit-Policy"] == '"api";q=1000;w=10'
    assert answer.headers["RateLimit"].startswith('"api";r=999;t=')


@pytest.mark.django_db
def test_a_key_beyond_its_limit_is_refused_and_others_are_not(key: str) -> None:
    stored, other = ApiKey.objects.get(), ApiKey.issue(name="other")[1]
    for _ in range(API.count):
        rate_limits.take(API, f"key {stored.pk}")
    answer = client_with(key).get("/api/v1/runs")
    assert answer.status_code == 429
    assert answer.json()["error"]["code"] == "too_many_requests"
    assert 1 <= int(answer.headers["Retry-After"]) <= 10
    assert answer.headers["RateLimit"].startswith('"api";r=0;t=')
    assert client_with(other).get("/api/v1/runs").status_code == 200


@pytest.mark.django_db
def test_wrong_keys_of_an_address_are_limited_and_a_right_one_from_there_is_not(key: str) -> None:
    statuses = [
        client_with(tokens.make_token()).get("/api/v1/runs").status_code
        for _ in range(WRONG_KEYS.count + 2)
    ]
    assert statuses == [401] * WRONG_KEYS.count + [429] * 2
    assert client_with(key).get("/api/v1/runs").status_code == 200
    elsewhere = client_with("tempo_wrong").get("/api/v1/runs", REMOTE_ADDR="192.0.2.9")
    assert elsewhere.status_code == 401


@pytest.mark.django_db
def test_log_ins_from_an_address_are_limited(client: Client, user: User) -> None:
    for _ in range(LOG_IN_OF_ADDRESS.count):
        rate_limits.take(LOG_IN_OF_ADDRESS, "127.0.0.1")
    answer = client.post("/login/", {"username": "ann", "password": "correct horse"})
    assert answer.status_code == 429 and int(answer.headers["Retry-After"]) > 0


@pytest.mark.django_db
def test_the_set_up_is_limited_by_address(client: Client) -> None:
    statuses = [client.post("/setup/guess/").status_code for _ in range(SET_UP.count + 1)]
    assert statuses[0] == 404 and statuses[-1] == 429


@pytest.mark.django_db
def test_previews_are_limited_by_address(browser: Client) -> None:
    for _ in range(rate_limits.PREVIEW.count):
        rate_limits.take(rate_limits.PREVIEW, "127.0.0.1")
    bodies: dict[str, dict[str, str | int]] = {
        "/schedule-preview/": {},
        "/api/v1/schedules/preview": {"kind": "interval", "every_s": 60},
        "/api/v1/check": {"code": ""},
    }
    for address, body in bodies.items():
        assert browser.post(address, body, "application/json").status_code == 429, address


def test_what_counts_is_kept_apart_from_other_memory() -> None:
    rate_limits.take(SMALL, "ann")
    caches["default"].clear()
    usage = rate_limits.take(SMALL, "ann")
    assert usage and usage.left == 1
