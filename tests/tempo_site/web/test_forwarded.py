"""What proxies say of a request is believed of trusted ones alone."""

import ipaddress
from typing import Any

import pytest
from pytest_django import Settings

from tempo_site.web import forwarded
from tests.rows import each_row

PROXY, OTHER_PROXY, CLIENT, INVENTED = "10.0.0.5", "172.16.3.4", "192.0.2.7", "203.0.113.9"


@pytest.fixture(autouse=True)
def trusted(settings: Settings) -> None:
    """One proxy, and a network of them."""
    networks = (PROXY, "172.16.0.0/12", "fd00::/8")
    settings.TRUSTED_PROXIES = [ipaddress.ip_network(network) for network in networks]
    settings.PUBLIC_URL = ""


def scope(peer: str = PROXY, kind: str = "http", **headers: str) -> dict[str, Any]:
    """The scope that Django gets of a request with these headers."""
    lines = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return forwarded.true_scope({"type": kind, "client": [peer, 4711], "headers": lines})


@each_row(
    ("peer", "way", "client"),
    [
        (CLIENT, "", CLIENT),
        (CLIENT, INVENTED, CLIENT),
        (PROXY, "", PROXY),
        (PROXY, CLIENT, CLIENT),
        (PROXY, f"{INVENTED}, {CLIENT}", CLIENT),
        (PROXY, f"{INVENTED}, {CLIENT}, {OTHER_PROXY}", CLIENT),
        (PROXY, f"{CLIENT},{OTHER_PROXY}", CLIENT),
        (PROXY, OTHER_PROXY, OTHER_PROXY),
        (PROXY, f"{CLIENT}:50123", CLIENT),
        (PROXY, "[2001:db8::7]:50123", "2001:db8::7"),
        (PROXY, "2001:db8::7", "2001:db8::7"),
        (PROXY, f"{CLIENT}, unknown", PROXY),
        (PROXY, f"{CLIENT}, not an address, {OTHER_PROXY}", OTHER_PROXY),
        (PROXY, ", ,", PROXY),
        (f"::ffff:{PROXY}", CLIENT, CLIENT),
        (f"::ffff:{CLIENT}", INVENTED, CLIENT),
        ("fd12::1", f"::ffff:{CLIENT}", CLIENT),
        ("", CLIENT, ""),
    ],
)
def test_the_client_is_the_last_one_on_the_way_that_is_no_trusted_proxy(
    peer: str, way: str, client: str
) -> None:
    assert scope(peer, x_forwarded_for=way)["client"][0] == client


def test_the_way_may_stand_in_several_headers() -> None:
    lines = [(b"x-forwarded-for", INVENTED.encode()), (b"x-forwarded-for", CLIENT.encode())]
    assert forwarded.client_address(PROXY, lines) == CLIENT


@pytest.mark.parametrize(
    ("peer", "told", "scheme"),
    [
        (PROXY, "https", "https"),
        (PROXY, "HTTPS", "https"),
        (PROXY, "https, http", "http"),
        (PROXY, "http", "http"),
        (PROXY, "", "http"),
        (CLIENT, "https", "http"),
    ],
)
def test_a_trusted_proxy_says_whether_it_was_reached_by_tls(
    peer: str, told: str, scheme: str
) -> None:
    assert scope(peer, x_forwarded_proto=told)["scheme"] == scheme
    assert scope(peer, "websocket", x_forwarded_proto=told)["scheme"] == scheme.replace(
        "http", "ws"
    )


def test_a_public_address_of_https_makes_every_request_one(settings: Settings) -> None:
    settings.PUBLIC_URL = "https://tempo.example.org"
    assert scope(CLIENT)["scheme"] == "https"
    assert scope(PROXY, x_forwarded_proto="http")["scheme"] == "https"


@pytest.mark.parametrize(
    ("peer", "told", "host"),
    [
        (PROXY, "tempo.example.org", b"tempo.example.org"),
        (PROXY, "evil.example, tempo.example.org:8443", b"tempo.example.org:8443"),
        (PROXY, "", b"upstream:8000"),
        (CLIENT, "tempo.example.org", b"upstream:8000"),
    ],
)
def test_a_trusted_proxy_says_under_which_name_it_was_reached(
    peer: str, told: str, host: bytes
) -> None:
    headers = scope(peer, host="upstream:8000", x_forwarded_host=told)["headers"]
    assert [value for name, value in headers if name == b"host"] == [host]
