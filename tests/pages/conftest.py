"""A real browser for pages that live."""

import shutil
import tempfile
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.service import PASSWORD, Service

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
LIMIT_MS = 20_000


@pytest.fixture
def screen(service: Service) -> Iterator[Page]:
    """A browser's page, logged in to a running Tempo; any error on its console fails the test."""
    chromium = shutil.which("chromium")
    assert chromium, "the tests of live pages need Debian's `chromium`"
    troubles: list[str] = []
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        context = playwright.chromium.launch_persistent_context(folder, executable_path=chromium, args=FLAGS)
        page = context.pages[0]
        page.set_default_timeout(LIMIT_MS)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on(
            "console", lambda message: troubles.append(message.text) if "Content Security" in message.text else None
        )
        page.goto(f"{service.url}/login/")
        page.fill("[name=username]", "ann")
        page.fill("[name=password]", PASSWORD)
        page.click("main button[type=submit]")
        yield page
        context.close()
    assert troubles == []
