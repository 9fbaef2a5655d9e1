"""A real browser for pages that live, and one Tempo for all modules that can share it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from django.conf import settings
from playwright.sync_api import BrowserContext, Page, StorageState, StorageStateCookie

from tempo_site.lib import paths
from tests import local_index
from tests.pages.browser import LIMIT_MS, browser_of, kept_browser
from tests.service import Service


# "package": every test in this folder is with a browser; the database of a process that has one cannot be asked.
@pytest.fixture(scope="package")
def chromium() -> Iterator[None]:
    """One Chromium; in it each `browser_of` opens a page of its own."""
    with kept_browser():
        yield


@pytest.fixture(scope="package")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the package index that the shared Tempo asks."""
    return tmp_path_factory.mktemp("shared") / "index"


@pytest.fixture(scope="package")
def shared(prepared: Path, index: Path) -> Iterator[Service]:
    """One Tempo for all modules but those marked `alone`: each test makes scripts of its own."""
    with (
        local_index.served(index) as url,
        Service.copy_of(prepared, index.parent / "data", PYSCHED_PACKAGE_INDEX=url) as running,
    ):
        yield running


@pytest.fixture(scope="package")
def shared_session(shared: Service, chromium: None) -> StorageState:
    """The cookies of `ann` there."""
    return logged_in(shared)


@pytest.fixture(scope="module")
def service(
    request: pytest.FixtureRequest, prepared: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """The shared Tempo, or an empty one for a module that is marked `alone`."""
    if request.node.get_closest_marker("alone") is None:
        yield request.getfixturevalue("shared")
        return
    with Service.copy_of(prepared, tmp_path_factory.mktemp("service") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def session(request: pytest.FixtureRequest, service: Service, chromium: None) -> StorageState:
    """The cookies of `ann` at the module's Tempo."""
    if request.node.get_closest_marker("alone") is None:
        shared: StorageState = request.getfixturevalue("shared_session")
        return shared
    return logged_in(service)


def logged_in(service: Service) -> StorageState:
    """The cookies of `ann`, who was logged in when the data folder was prepared: a password takes 0.3 s to look at."""
    with closing(sqlite3.connect(service.data / paths.DATABASE)) as database:
        (key,) = database.execute("SELECT session_key FROM django_session").fetchone()
    cookie: StorageStateCookie = {
        "name": settings.SESSION_COOKIE_NAME,
        "value": key,
        "domain": "127.0.0.1",
        "path": "/",
        "expires": -1,
        "httpOnly": True,
        "secure": False,
        "sameSite": "Lax",
    }
    return {"cookies": [cookie], "origins": []}


@pytest.fixture(scope="module")
def window(session: StorageState) -> Iterator[BrowserContext]:
    """A browser that is logged in, for all tests of a module: what one has fetched and compiled is there for the next.

    Its first page stays empty: it keeps the process of the pages that come and go.
    """
    with browser_of(viewport={"width": 1280, "height": 720}, storage_state=session) as page:
        yield page.context


@pytest.fixture
def screen(window: BrowserContext, service: Service, session: StorageState) -> Iterator[Page]:
    """An empty page of a browser that is logged in to a running Tempo; any error on its console fails the test."""
    troubles: list[str] = []
    page = window.new_page()
    page.set_default_timeout(LIMIT_MS)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on(
        "console",
        lambda message: (
            troubles.append(message.text) if "Content Security" in message.text else None
        ),
    )
    yield page
    forget(window, service, session)
    assert troubles == []


def forget(window: BrowserContext, service: Service, session: StorageState) -> None:
    """Close what a test has opened, and leave it nothing of what it kept or was allowed in the browser."""
    empty, *opened = window.pages
    for page in opened:
        page.close()
    devtools = window.new_cdp_session(empty)
    kept = {"origin": service.url, "storageTypes": "local_storage"}
    devtools.send("Storage.clearDataForOrigin", kept)
    devtools.detach()
    window.clear_permissions()
    window.clear_cookies()
    (cookie,) = session["cookies"]
    window.add_cookies(
        [{"name": cookie["name"], "value": cookie["value"], "url": service.url, "httpOnly": True}]
    )
