"""Tempo below a path of another site: what a request asks for, and how addresses are written."""

import re
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from pytest_django import Settings

from tempo_site import checks
from tempo_site.lib import origins

ROOT: Path = django_settings.BASE_DIR
# An address of Tempo's in quotes, as JavaScript and templates would write it.
IN_QUOTES = r"""["'`]/[a-z]+(?:-[a-z]+)*[/"'`?]"""
OWN_ADDRESS = re.compile(IN_QUOTES)
FREE_ADDRESS = re.compile(rf"(?<!address\(){IN_QUOTES}")


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        ("/tempo", "/"),
        ("/tempo/", "/"),
        ("/tempo/runs/5/", "/runs/5/"),
        ("/runs/5/", "/runs/5/"),
        ("/tempo2/runs/", "/tempo2/runs/"),
        ("/tempo/tempo/", "/tempo/"),
    ],
)
def test_the_base_is_taken_off_once(settings: Settings, asked: str, path: str) -> None:
    settings.BASE_PATH = "/tempo"
    assert origins.without_base(asked) == path


@pytest.mark.parametrize("path", ["/runs/5/", "/tempo/runs/5/"])
def test_an_address_for_people_has_the_base_once(settings: Settings, path: str) -> None:
    settings.BASE_PATH = "/tempo"
    assert origins.with_base(path) == "/tempo/runs/5/"


def test_a_site_of_its_own_has_no_base(settings: Settings) -> None:
    settings.BASE_PATH = ""
    assert origins.without_base("/runs/5/") == origins.with_base("/runs/5/") == "/runs/5/"


@pytest.mark.parametrize(
    ("base", "is_free"),
    [
        ("/tempo", True),
        ("/apps/runs", True),
        ("/runs", False),
        ("/static", False),
        ("/ws/x", False),
    ],
)
def test_a_base_that_begins_as_tempos_addresses_is_refused(
    settings: Settings, base: str, is_free: bool
) -> None:
    settings.BASE_PATH = base
    assert (checks.base_path_is_free() == []) == is_free


# --- nobody writes an address that knows no base -------------------------------------------------------------------
def test_scripts_of_pages_have_their_addresses_from_one_function() -> None:
    sources = [*ROOT.glob("static/js/**/*.js")]
    socket = ROOT / "static/js/lib/socket.js"  # gives the base to what it connects to
    assert "address(path())" in socket.read_text()
    found = [
        f"{path.name}: {line.strip()}"
        for path in sources
        for line in path.read_text().splitlines()
        if FREE_ADDRESS.search(line) and "connect(() =>" not in line and not line.startswith("/")
    ]
    assert sources and found == []


def test_templates_name_pages_and_write_no_addresses() -> None:
    found = [
        f"{path.name}: {line.strip()}"
        for path in ROOT.glob("templates/**/*.html")
        for line in path.read_text().splitlines()
        if OWN_ADDRESS.search(line) or re.search(r'(?:href|action|src)="/', line)
    ]
    assert found == []


def test_an_address_without_the_base_is_found() -> None:
    assert FREE_ADDRESS.search("fetch(`/runs/${run}/lines`)")
    assert not FREE_ADDRESS.search("fetch(address(`/runs/${run}/lines`))")
