"""Real browsers for tests: Debian's Chromium in each of the looks that a page has to keep."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from enum import StrEnum
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

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
    "--renderer-process-limit=1",  # the pages of one browser share what they have compiled
    "--js-flags=--always-sparkplug",  # axe runs once in each page: compiling it at once costs a tenth less
]
LIMIT_MS = 60_000
expect.set_options(timeout=LIMIT_MS)  # 5 s by default, too little beside a full suite


class Look(StrEnum):
    """How a page is looked at."""

    LIGHT = "light"
    DARK = "dark"
    PHONE = "phone"
    WIDE = "wide"


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
    Look.WIDE: {"color_scheme": "light", "viewport": {"width": 1920, "height": 1080}},
}


_kept: list[Browser] = []


@contextmanager
def launched() -> Iterator[Browser]:
    """Chromium with an empty profile. Debian's build without windows opens a page in a quarter of the time."""
    chromium = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    assert chromium, "the tests of live pages need Debian's `chromium-headless-shell` or `chromium`"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def kept_browser() -> Iterator[None]:
    """Start one Chromium for every `browser_of` within: each then opens a page of its own in it, not a program.

    While it is there, this thread counts as one that runs an event loop: Django's database cannot be asked here.
    """
    with launched() as browser:
        _kept.append(browser)
        try:
            yield
        finally:
            _kept.remove(browser)


@contextmanager
def browser_of(look: Look = Look.LIGHT, **options: Any) -> Iterator[Page]:
    """A page that shares nothing with any other one; `options` as playwright's `new_context` takes them.

    Nothing moves on it: without a graphics card each frame of an animation is drawn by the processor, sixty a second.
    """
    with nullcontext(_kept[0]) if _kept else launched() as browser:
        context = browser.new_context(**{**OPTIONS[look], "reduced_motion": "reduce", **options})
        page = context.new_page()
        page.set_default_timeout(LIMIT_MS)
        try:
            yield page
        finally:
            context.close()


class Handset:
    """Makes a page that was opened on a desk one on a phone for a while, by what playwright sends for `Look.PHONE`."""

    def __init__(self, page: Page) -> None:
        self._screen = page.context.new_cdp_session(page)

    @contextmanager
    def held(self) -> Iterator[None]:
        """The page is on a phone meanwhile."""
        self._set(Look.PHONE)
        try:
            yield
        finally:
            self._set(Look.LIGHT)

    def _set(self, look: Look) -> None:
        options = OPTIONS[look]
        metrics = {
            **options["viewport"],
            "deviceScaleFactor": options.get("device_scale_factor", 1),
            "mobile": options.get("is_mobile", False),
        }
        self._screen.send("Emulation.setDeviceMetricsOverride", metrics)
        touch = {"enabled": options.get("has_touch", False)}
        self._screen.send("Emulation.setTouchEmulationEnabled", touch)


def log_in(page: Page, url: str) -> None:
    """Log in as `ann`."""
    page.goto(f"{url}/login/")
    page.fill("[name=username]", "ann")
    page.fill("[name=password]", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_url(f"{url}/")
