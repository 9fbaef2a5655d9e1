"""A console of 100,000 coloured lines: from the click to a usable page, beside a bare page with the same text."""

import functools
import http.server
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from playwright.sync_api import Page

from tests.benchmarks.figures import Figure
from tests.benchmarks.setting import Setting, running
from tests.pages.browser import browser_of, log_in
from tests.service import Service

LINES = 100_000
ROUNDS = 5
WRITER = f"""
import sys
for number in range({LINES}):
    sys.stdout.write(f"\\x1b[32mINFO\\x1b[0m {{number:06d}} the \\x1b[1;38;5;208mfox\\x1b[0m jumps over a lazy dog\\n")
"""
LAST_ROW = f'.row[data-n="{LINES}"]'


def measure(setting: Setting) -> Iterator[Figure]:
    """The first visit finds the log unread, as after a start; then search and a jump into the middle."""
    with running(setting) as service, browser_of() as page:
        run = service.run(service.make_script("Writer", WRITER))["id"]
        log_in(page, service.url)
        address = f"{service.url}/runs/{run}/"
        log = service.get(f"/runs/{run}/log")
        with static_page(log) as bare_address:
            bare_ms = [shown_ms(page, lambda: page.goto(bare_address), "pre:last-child") for _ in range(ROUNDS)]
        opened_ms = [shown_ms(page, lambda: page.goto(address), LAST_ROW) for _ in range(ROUNDS)]
        yield figure("100,000 coloured lines, from the click to the last line shown", opened_ms, bare_ms, 1000)
        jumped_ms = [jump_ms(page, number * LINES // 7) for number in range(1, 1 + ROUNDS)]
        yield figure("a jump to a line far away until it is shown", jumped_ms, bare_ms, 250)
        yield figure("a search through all of them that finds nothing", searches_ms(service, run, page), bare_ms, 100)


def shown_ms(page: Page, act: Callable[[], object], selector: str) -> float:
    """Milliseconds from an act until an element is there and painted."""
    page.goto("about:blank")
    started = time.monotonic()
    act()
    page.wait_for_selector(selector)
    painted(page)
    return (time.monotonic() - started) * 1000


def jump_ms(page: Page, number: int) -> float:
    """Milliseconds from an address of a line to the line."""
    started = time.monotonic()
    page.evaluate(f"location.hash = '#L{number}'")
    page.wait_for_selector(f'.row[data-n="{number}"]')
    painted(page)
    return (time.monotonic() - started) * 1000


def searches_ms(service: Service, run: int, page: Page) -> list[float]:
    """Milliseconds of a search, as the page asks for it."""
    ask = f"fetch('/runs/{run}/lines?q=nowhere').then((answer) => answer.json())"
    samples = []
    for _ in range(ROUNDS):
        started = time.monotonic()
        assert page.evaluate(ask)["matches"] == []
        samples.append((time.monotonic() - started) * 1000)
    return samples


def painted(page: Page) -> None:
    """Wait for the next frame."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


@contextmanager
def static_page(text: str) -> Iterator[str]:
    """The address of a page that is nothing but this text in a `<pre>`."""
    with tempfile.TemporaryDirectory(prefix="tempo-benchmark-") as folder:
        (Path(folder) / "index.html").write_text(f"<!DOCTYPE html><meta charset=utf-8><pre>{text}</pre>")
        handler = functools.partial(Silent, directory=folder)
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_address[1]}/"
            server.shutdown()


class Silent(http.server.SimpleHTTPRequestHandler):
    """Serves files and tells nobody."""

    def log_message(self, format: str, *args: object) -> None:
        """Keep the report free of requests."""


def figure(name: str, samples_ms: list[float], bare_ms: list[float], bar: float) -> Figure:
    """A figure of the console."""
    return Figure(
        benchmark="console",
        figure=name,
        value=median(samples_ms),
        unit="ms",
        baseline="the same text as one <pre> of a static page, in the same browser",
        baseline_value=median(bare_ms),
        bar=bar,
        bar_on="value",
        n=len(samples_ms),
        details={"max": round(max(samples_ms), 1)},
    )
