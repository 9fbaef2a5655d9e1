"""A real browser for pages that live; other looks, or one without JavaScript: `tests.pages.browser.browser_of`."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from tests.pages.browser import LIMIT_MS as LIMIT_MS
from tests.pages.browser import browser_of, log_in
from tests.service import Service


@pytest.fixture
def screen(service: Service) -> Iterator[Page]:
    """A browser's page, logged in to a running Tempo; any error on its console fails the test."""
    troubles: list[str] = []
    with browser_of(viewport={"width": 1280, "height": 720}) as page:
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on(
            "console", lambda message: troubles.append(message.text) if "Content Security" in message.text else None
        )
        log_in(page, service.url)
        yield page
    assert troubles == []
