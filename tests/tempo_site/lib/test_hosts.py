"""Which Host headers are answered, and which address is told."""

import ipaddress
import socket
from unittest.mock import Mock
from urllib.parse import urlsplit

import pytest
from django.conf import LazySettings

from tempo_site.lib import hosts
from tests.rows import each_row


@each_row(
    "header",
    [
        "localhost",
        "localhost:8000",
        "LocalHost",
        "tempo.localhost",
        "127.0.0.1",
        "192.168.1.5:8000",
        "203.0.113.7",
        "[::1]",
        "[::1]:8000",
        "[2001:db8::7]:80",
        "::1",
        "nas",
        "nas:8000",
        "my-nas_2",
        "tower.local",
        "tower.local:8000",
        "Tower.Local.",
        "a.b.tower.local",
        "x.lan",
        "x.home.arpa",
    ],
)
def test_addresses_and_local_names_are_answered(header: str) -> None:
    assert hosts.is_allowed(header, [])


@each_row(
    "header",
    [
        "",
        " ",
        ":8000",
        "evil.com",
        "evil.com:8000",
        "a.b",
        "tower.local.evil.com",
        "local.evil.com",
        "evil-local.com",
        "evillan.com",
        "x.notlocal",
        "x.homearpa",
        "home.arpa.evil.com",
        ".local",
        "..local",
        "127.0.0.1.evil.com",
        "192.168.1.5.nip.io",
        "evil.com.",
    ],
)
def test_a_name_that_a_stranger_can_register_is_refused(header: str) -> None:
    assert not hosts.is_allowed(header, [])


@each_row(
    "header",
    [
        "evil.com/.local",
        "evil.com#.local",
        "evil.com?.lan",
        "evil.com .local",
        "evil.com@x.local",
        "evil.com:80:x.local",
        "[tower.local]",
        "[::1].evil.com",
        "[::1",
        "tower.local:8000.evil.com",
        "localhost:evil.com",
    ],
)
def test_what_is_no_host_name_is_refused_whatever_it_ends_in(header: str) -> None:
    assert not hosts.is_allowed(header, [])


@each_row(
    ("patterns", "header"),
    [
        (["tempo.example.org"], "tempo.example.org"),
        (["tempo.example.org"], "Tempo.Example.ORG:443"),
        (["Tempo.Example.org"], "tempo.example.org"),
        ([".example.org"], "tempo.example.org"),
        ([".example.org"], "a.b.example.org"),
        ([".example.org"], "example.org"),
        (["*"], "evil.com"),
        (["a.org", "b.org"], "b.org:8000"),
        (["192.168.1.5"], "192.168.1.5:8000"),
        (["::1"], "[::1]:8000"),
        (["[::1]"], "[::1]:8000"),
    ],
)
def test_with_patterns_what_they_match_is_answered(patterns: list[str], header: str) -> None:
    assert hosts.is_allowed(header, patterns)


@each_row(
    ("patterns", "header"),
    [
        (["tempo.example.org"], "example.org"),
        (["tempo.example.org"], "x.tempo.example.org"),
        ([".example.org"], "evilexample.org"),
        ([".example.org"], "example.org.evil.com"),
        (["tempo.example.org"], "tower.local"),
        (["tempo.example.org"], "127.0.0.1"),
        (["*"], ""),
    ],
)
def test_with_patterns_everything_else_is_refused(patterns: list[str], header: str) -> None:
    assert not hosts.is_allowed(header, patterns)


@each_row(
    ("header", "name"),
    [
        ("Tower.Local.:8000", "tower.local"),
        ("[2001:DB8::7]:80", "2001:db8::7"),
        ("::1", "::1"),
        ("", ""),
    ],
)
def test_a_name_is_read_without_port_and_brackets(header: str, name: str) -> None:
    assert hosts.name_of(header) == name


@each_row(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000/"),
        ("192.168.1.5", "http://192.168.1.5:8000/"),
        ("::1", "http://[::1]:8000/"),
        ("tower.local", "http://tower.local:8000/"),
    ],
)
def test_the_address_is_what_is_listened_on(host: str, address: str) -> None:
    assert hosts.address_of(host, 8000) == address


@pytest.mark.parametrize("host", ["0.0.0.0", "::", ""])
def test_for_everywhere_the_address_is_one_that_can_be_opened(host: str) -> None:
    name = urlsplit(hosts.address_of(host, 8000)).hostname
    assert name is not None and not ipaddress.ip_address(name).is_unspecified


def test_without_a_network_the_address_is_this_machines_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket, "socket", Mock(side_effect=OSError))
    assert hosts.address_of("0.0.0.0", 8000) == "http://127.0.0.1:8000/"
    assert hosts.address_of("::", 8000) == "http://[::1]:8000/"


def test_the_address_that_people_open_is_the_public_one_where_that_is_said(
    settings: LazySettings,
) -> None:
    assert hosts.public_address("127.0.0.1", 8000) == "http://127.0.0.1:8000/"
    settings.PUBLIC_URL = "https://tempo.example.org"
    assert hosts.public_address("127.0.0.1", 8000) == "https://tempo.example.org/"


@pytest.mark.parametrize(
    ("public", "is_container", "base", "address"),
    [
        ("", False, "", "http://127.0.0.1:8000/"),
        ("", True, "", "http://<this machine>:8000/"),
        ("", True, "/tempo", "http://<this machine>:8000/tempo/"),
        ("https://tempo.example.org", True, "", "https://tempo.example.org/"),
        ("https://example.org", False, "/tempo", "https://example.org/tempo/"),
    ],
)
def test_the_address_that_is_printed_is_one_that_people_can_open(
    settings: LazySettings, public: str, is_container: bool, base: str, address: str
) -> None:
    settings.PUBLIC_URL, settings.IS_CONTAINER, settings.BASE_PATH = public, is_container, base
    assert hosts.public_address("127.0.0.1", 8000) == address
