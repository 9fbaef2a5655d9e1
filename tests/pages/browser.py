"""Real browsers for tests: Debian's Chromium in each of the looks that a page has to keep."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

from playwright.sync_api import Page, sync_playwright

from tests.service import PASSWORD

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


class Look(StrEnum):
    """How a page is looked at."""

    LIGHT = "light"
    DARK = "dark"
    PHONE = "phone"


OPTIONS: dict[Look, dict[str, Any]] = {
    Look.LIGHT: {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    Look.DARK: {"color_scheme": "dark", "viewport": {"width": 1280, "height": 900}},
    Look.PHONE: {
        "color_scheme": "light",
        "viewport": {"width": 390, "height": 844},
        "has_touch": True,
        "is_mobile": True,
        "device_scale_factor": 2,
    },
}


@contextmanager
def browser_of(look: Look = Look.LIGHT, **options: Any) -> Iterator[Page]:
    """A browser with an empty profile and one page; `options` as `launch_persistent_context` takes them."""
    chromium = shutil.which("chromium")
    assert chromium, "the tests of live pages need Debian's `chromium`"
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        context = playwright.chromium.launch_persistent_context(
            folder, executable_path=chromium, args=FLAGS, **{**OPTIONS[look], **options}
        )
        page = context.pages[0]
        page.set_default_timeout(LIMIT_MS)
        try:
            yield page
        finally:
            context.close()


def log_in(page: Page, url: str) -> None:
    """Log in as `ann`."""
    page.goto(f"{url}/login/")
    page.fill("[name=username]", "ann")
    page.fill("[name=password]", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_url(f"{url}/")
