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
from typing import Any

from playwright.sync_api import Page

from tests.benchmarks.figures import Figure, percentile
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
FRAME_BAR_MS, HEAP_BAR_MB = 50, 30
# The frames of a wheel that turns for two seconds from the top; then fifty jumps of the scroll bar through the whole.
WALK = """async () => {
  const view = SCROLLER, frames = [], painted = () => new Promise(requestAnimationFrame);
  view.scrollTop = 0;
  await painted();
  for (let last = await painted(), turn = 0; turn < 120; turn += 1) {
    view.scrollTop += 120;
    const now = await painted();
    frames.push(now - last);
    last = now;
  }
  for (let step = 0; step <= 50; step += 1) {
    view.scrollTop = (view.scrollHeight * step) / 50;
    await painted(); await painted();
  }
  return frames;
}"""
LAST_ROW = f'.row[data-n="{LINES}"]'


def measure(setting: Setting) -> Iterator[Figure]:
    """The first visit finds the log unread, as after a start; then search and a jump into the middle."""
    with running(setting) as service, browser_of(reduced_motion="no-preference") as page:
        run = service.run(service.make_script("Writer", WRITER))["id"]
        log_in(page, service.url)
        address = f"{service.url}/runs/{run}/"
        log = service.get(f"/runs/{run}/log")
        with static_page(log) as bare_address:
            bare_ms = [
                shown_ms(page, lambda: page.goto(bare_address), "pre:last-child")
                for _ in range(ROUNDS)
            ]
        opened_ms = [shown_ms(page, lambda: page.goto(address), LAST_ROW) for _ in range(ROUNDS)]
        yield figure(
            "100,000 coloured lines, from the click to the last line shown",
            opened_ms,
            bare_ms,
            1000,
        )
        jumped_ms = [jump_ms(page, number * LINES // 7) for number in range(1, 1 + ROUNDS)]
        yield figure("a jump to a line far away until it is shown", jumped_ms, bare_ms, 250)
        yield figure(
            "a search through all of them that finds nothing",
            searches_ms(service, run, page),
            bare_ms,
            500,
        )
        yield from walked(page, address, log)


def walked(page: Page, address: str, log: str) -> Iterator[Figure]:
    """Scroll down from the top as a wheel does, then drag the bar through the whole log: frames and memory."""
    with static_page(log) as bare_address:
        bare = walk(page, bare_address, "pre", "document.scrollingElement")
    own = walk(page, address, LAST_ROW, "document.querySelector('[data-console]')")
    at_95 = percentile(own["frames"], 95)
    yield figure(
        "a frame while scrolling, p95", [at_95], [percentile(bare["frames"], 95)], FRAME_BAR_MS
    )
    yield Figure(
        benchmark="console",
        figure="memory of the page behind a walk through all lines",
        value=own["heap_mb"],
        unit="MB",
        baseline="the same text as one <pre> of a static page, in the same browser",
        baseline_value=bare["heap_mb"],
        bar=HEAP_BAR_MB,
        bar_on="value",
        n=1,
        details={"nodes": own["nodes"], "nodes_bare": bare["nodes"]},
    )


def walk(page: Page, address: str, selector: str, scroller: str) -> dict[str, Any]:
    """Open a page, walk, and return its frames in ms, its JavaScript heap in MB and its nodes then."""
    page.goto("about:blank")
    page.goto(address)
    page.wait_for_selector(selector)
    frames = page.evaluate(WALK.replace("SCROLLER", scroller))
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    session.send("Performance.enable")
    metrics = {
        each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]
    }
    session.detach()
    return {"frames": frames, "heap_mb": metrics["JSHeapUsedSize"] / 1e6, "nodes": metrics["Nodes"]}


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
        (Path(folder) / "index.html").write_text(
            f"<!DOCTYPE html><meta charset=utf-8><pre>{text}</pre>"
        )
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
