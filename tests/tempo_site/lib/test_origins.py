"""Which pages are this server's own, and what is said where a proxy hides it."""

from typing import Any

import pytest
from django.http import HttpRequest
from django.test import RequestFactory
from pytest_django import Settings

from tempo_site.lib import hosts, origins
from tests.rows import each_row

PUBLIC = "https://tempo.example.org"


def sent(origin: str = "", host: str = "tower.local:8000", **headers: Any) -> HttpRequest:
    """A form from a page."""
    if origin:
        headers["HTTP_ORIGIN"] = origin
    return RequestFactory().post("/login/", HTTP_HOST=host, **headers)


@each_row(
    ("text", "origin"),
    [
        ("https://tempo.example.org", PUBLIC),
        ("https://Tempo.Example.org/", PUBLIC),
        ("https://tempo.example.org:443", PUBLIC),
        ("http://tempo.example.org:80/", "http://tempo.example.org"),
        ("https://tempo.example.org:8443", "https://tempo.example.org:8443"),
        ("http://[fd00::1]:8000", "http://[fd00::1]:8000"),
        ("http://192.168.1.5:8000/", "http://192.168.1.5:8000"),
    ],
)
def test_an_address_is_read_as_browsers_write_it(text: str, origin: str) -> None:
    assert hosts.origin_of(text) == origin


@each_row(
    "text",
    [
        "tempo.example.org",
        "ftp://tempo.example.org",
        "https://",
        "https://*",
        "https://*.example.org",
        "https://tempo.example.org/tempo",
        "https://tempo.example.org/?a=b",
        "https://tempo.example.org/#a",
        "https://me@tempo.example.org",
        "https://tempo.example.org:99999",
        "https://tempo.example.org:port",
        "https://[fd00",
        "https://täpp.example",
        "https://a,https://b",
    ],
)
def test_what_is_no_address_of_a_site_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        hosts.origin_of(text)


@each_row("origin", ["http://[", "https://", "null", "", "http://evil.example"])
def test_no_other_origin_is_ours(origin: str) -> None:
    assert not origins.is_own(origin, host="tower.local", is_secure=False)


def test_a_page_without_tls_is_not_ours_where_there_is_tls() -> None:
    assert not origins.is_own("http://tower.local", host="tower.local", is_secure=True)
    assert origins.is_own("https://tower.local", host="tower.local", is_secure=True)


def test_the_public_address_is_ours_whatever_the_proxy_calls_us(settings: Settings) -> None:
    settings.PUBLIC_URL = PUBLIC
    assert origins.is_own(PUBLIC, host="127.0.0.1:8000", is_secure=True)
    assert not origins.is_own(f"{PUBLIC}.evil.example", host="127.0.0.1:8000", is_secure=True)


@pytest.mark.parametrize("origin", [PUBLIC, "https://tower.local:8000"])
def test_both_variables_are_named_where_none_is_set(settings: Settings, origin: str) -> None:
    settings.PUBLIC_URL = ""
    sentence = origins.what_a_proxy_hides(sent(origin))
    assert origin in sentence and "`http://tower.local:8000`" in sentence
    assert "PYSCHED_PUBLIC_URL" in sentence and "PYSCHED_TRUSTED_PROXIES" in sentence


def test_the_public_address_is_named_where_another_was_opened(settings: Settings) -> None:
    settings.PUBLIC_URL = PUBLIC
    sentence = origins.what_a_proxy_hides(sent("http://tower.local:8000", secure=True))
    assert PUBLIC in sentence and "PYSCHED_PUBLIC_URL" in sentence


@pytest.mark.parametrize("origin", ["", "null", "http://tower.local:8000"])
def test_nothing_is_said_of_proxies_where_the_address_is_ours(
    settings: Settings, origin: str
) -> None:
    settings.PUBLIC_URL = ""
    assert origins.what_a_proxy_hides(sent(origin)) == ""


def test_an_address_to_copy_is_the_public_one(settings: Settings) -> None:
    settings.PUBLIC_URL = PUBLIC
    assert origins.absolute(sent(), "/api/v1/runs") == f"{PUBLIC}/api/v1/runs"
    settings.PUBLIC_URL = ""
    assert origins.absolute(sent(), "/api/v1/runs") == "http://tower.local:8000/api/v1/runs"
