"""A real browser for pages that live, and one Tempo for all tests of a module."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, StorageState

from tests.pages.browser import browser_of, kept_browser, log_in
from tests.service import Service


@pytest.fixture(scope="module")
def chromium() -> Iterator[None]:
    """One Chromium for a module; in it each `browser_of` opens a page of its own."""
    with kept_browser():
        yield


@pytest.fixture(scope="module")
def service(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One Tempo for the tests of a module: each makes scripts of its own."""
    with Service.copy_of(prepared, tmp_path_factory.mktemp("service") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def session(service: Service, chromium: None) -> StorageState:
    """The cookies of `ann`, logged in once for a module: more than ten log-ins a minute are refused."""
    with browser_of() as page:
        log_in(page, service.url)
        return page.context.storage_state()


@pytest.fixture
def screen(service: Service, session: StorageState) -> Iterator[Page]:
    """A browser's page, logged in to a running Tempo; any error on its console fails the test."""
    troubles: list[str] = []
    with browser_of(viewport={"width": 1280, "height": 720}, storage_state=session) as page:
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on(
            "console",
            lambda message: (
                troubles.append(message.text) if "Content Security" in message.text else None
            ),
        )
        page.goto(service.url)
        yield page
    assert troubles == []
