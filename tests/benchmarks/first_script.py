"""From the log-in page to the first line of a new script, with a browser that types as fast as a machine can."""

import time
from collections.abc import Iterator
from statistics import median

from playwright.sync_api import Page, expect

from tests.benchmarks.figures import Figure
from tests.benchmarks.setting import Setting, running
from tests.pages.browser import browser_of, log_in
from tests.service import Service

BAR_S = 10.0
ROUNDS = 3
LINE = "the first line of a new script"
CODE = f"print({LINE!r})"
LIMIT_MS = 60_000


def measure(setting: Setting) -> Iterator[Figure]:
    """Each round on a new Tempo: the first script has its environment built."""
    rounds = [one_round(setting) for _ in range(ROUNDS)]
    totals, log_ins = zip(*rounds, strict=True)
    yield Figure(
        benchmark="first_script",
        figure="log-in page to first line",
        value=median(totals),
        unit="s",
        baseline="log-in page to dashboard",
        baseline_value=median(log_ins),
        bar=BAR_S,
        bar_on="value",
        n=len(rounds),
        details={"slowest": round(max(totals), 2)},
    )


def one_round(setting: Setting) -> tuple[float, float]:
    """Seconds to the first line, and seconds to the dashboard on the way."""
    with running(setting) as service, browser_of(reduced_motion="no-preference") as page:
        began = time.monotonic()
        log_in(page, service.url)
        log_in_s = time.monotonic() - began
        write_and_run(page, service)
        return time.monotonic() - began, log_in_s


def write_and_run(page: Page, service: Service) -> None:
    """New script, its name, its code, Ctrl+Enter, and wait for the line."""
    page.locator("[data-new-script]").first.click()
    page.locator("dialog [name=name]").fill("First")
    page.locator("dialog button[type=submit]").click()
    page.wait_for_url(f"{service.url}/scripts/first/edit/")
    page.locator("code-editor .ace_text-input").focus()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(CODE)
    page.keyboard.press("Control+Enter")
    expect(page.locator("console-drawer [role=log]")).to_contain_text(LINE, timeout=LIMIT_MS)
