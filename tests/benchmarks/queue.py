"""A thousand runs queued at once: how long they take, in which order they begin, what it costs those who look on."""

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from tests.benchmarks import procfs
from tests.benchmarks.clients import Browser, Client
from tests.benchmarks.figures import Figure
from tests.benchmarks.setting import Bare, Setting, running
from tests.benchmarks.throughput import CLIENTS, NO_OP, start_all
from tests.service import Service, wait_for

RUNS = int(os.environ.get("TEMPO_BENCHMARK_QUEUE", "1000"))
PLACES = 20  # PYSCHED_MAX_CONCURRENT_RUNS of a new installation
BARE_RUNS = 50
WARM_UP = 200
LIMIT_S = 300.0
OPEN = "SELECT count(*) FROM runs_app_run WHERE status IN ('queued', 'starting', 'running')"
# In the order in which they began; each with its turn, which is what decides. Two clients may get their ids otherwise.
BEGUN = """
SELECT coalesce(due_at, created_at) AS turn, id FROM runs_app_run WHERE handed_over_at IS NOT NULL AND id >= ?
ORDER BY handed_over_at, turn, id
"""
# All of them begin to wait before the first of the queue, so that the whole queue is there at once.
GATE = "import pathlib, time\nwhile not pathlib.Path('gate').exists():\n    time.sleep(0.02)\n"


class Onlooker:
    """Somebody who opens pages one after the other while the queue drains; keeps the seconds of each."""

    def __init__(self, service: Service, pages: list[str]) -> None:
        self._browser = Browser(service)
        self._pages = pages
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)
        self.seconds: list[tuple[float, str]] = []

    def __enter__(self) -> "Onlooker":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def look(self) -> None:
        """Open each page once."""
        for page in self._pages:
            began = time.monotonic()
            self._browser.open(page)
            self.seconds.append((time.monotonic() - began, page))

    def _go_on(self) -> None:
        while not self._is_over.wait(0.1):
            self.look()


def measure(setting: Setting) -> Iterator[Figure]:
    """Fill every place, queue the thousand, open the gate."""
    with running(setting) as service:
        bare = Bare.of(service)
        gated, slug = service.make_script("Gate", GATE), service.make_script("No-op", NO_OP)
        onlooker = warmed_up(service, slug)
        executed = service.data / "scripts" / slug / "files" / "executed"
        executed.unlink()
        web = service.web_pid()
        before = (procfs.pss_mb(web), procfs.rss_mb(web))
        bare_s = sum(bare.run_s("-c", "pass") for _ in range(BARE_RUNS // 2))
        for _ in range(PLACES):
            service.post(f"/scripts/{gated}/runs")
        runs = sorted(start_all([Client(service) for _ in range(CLIENTS)], [slug] * RUNS))
        with onlooker:
            began = time.monotonic()
            (service.data / "scripts" / gated / "files" / "gate").touch()
            wait_until_quiet(service)
            elapsed_s = time.monotonic() - began
        bare_s += sum(bare.run_s("-c", "pass") for _ in range(BARE_RUNS // 2))
        assert sorted(map(int, executed.read_text().split())) == runs, (
            "not every run was executed exactly once"
        )
        assert service.web_pid() == web
        yield growth(before, (procfs.pss_mb(web), procfs.rss_mb(web)))
        yield violations(asked(service, BEGUN, runs[0]), runs)
    yield drain(elapsed_s, bare_s)
    yield slowest_page(onlooker.seconds)


def warmed_up(service: Service, slug: str) -> Onlooker:
    """Let clients queue some runs and somebody look at them, so that what only the first of them costs is paid."""
    runs = start_all([Client(service) for _ in range(CLIENTS)], [slug] * WARM_UP)
    onlooker = Onlooker(
        service, ["/", "/runs/", "/scripts/", f"/scripts/{slug}/edit/", f"/runs/{runs[0]}/"]
    )
    onlooker.look()
    wait_until_quiet(service)
    onlooker.seconds.clear()
    return onlooker


def wait_until_quiet(service: Service) -> None:
    """Wait for the end of all runs."""
    wait_for(lambda: asked(service, OPEN) == [(0,)], what="the end of all runs", limit_s=LIMIT_S)


def asked(service: Service, query: str, *values: int) -> list[Any]:
    """The rows of an answer of the database."""
    with contextlib.closing(
        sqlite3.connect(service.data / "tempo.sqlite3", timeout=20)
    ) as database:
        time.sleep(0.05)  # asked over and over: it must not be what is measured
        return list(database.execute(query, values))


def drain(elapsed_s: float, bare_s: float) -> Figure:
    """While somebody looks on."""
    return Figure(
        benchmark="queue",
        figure=f"{RUNS} queued no-op runs, from the first place that becomes free to the last end",
        value=elapsed_s,
        unit="s",
        baseline=f"{RUNS} bare `python -c pass` in sequence, from {BARE_RUNS} of them",
        baseline_value=bare_s / BARE_RUNS * RUNS,
        bar=2.2,
        bar_on="ratio",
        n=RUNS,
    )


def violations(order: list[Any], runs: list[int]) -> Figure:
    """Runs that began before one that was ahead of them."""
    return Figure(
        benchmark="queue",
        figure="runs that overtook another",
        value=sum(later < earlier for earlier, later in pairwise(order)),
        unit="runs",
        baseline="runs that did not begin",
        baseline_value=len(set(runs).difference(pk for _, pk in order)),
        bar=0,
        bar_on="value",
        n=len(runs),
    )


def slowest_page(seconds: list[tuple[float, str]]) -> Figure:
    """The worst of all pages that were opened meanwhile, beside the median."""
    ranked = sorted(seconds)
    slowest_s, page = ranked[-1]
    return Figure(
        benchmark="queue",
        figure="slowest page while the queue drains",
        value=slowest_s,
        unit="s",
        baseline="the median of them",
        baseline_value=ranked[len(ranked) // 2][0],
        bar=1,
        bar_on="value",
        n=len(ranked),
        details={"page": page.rstrip("0123456789/") or "/"},
    )


def growth(before: tuple[float, float], after: tuple[float, float]) -> Figure:
    """Of web, engine included; before: after some runs and no page."""
    return Figure(
        benchmark="queue",
        figure="PSS of web behind the queue",
        value=after[0],
        unit="MB",
        baseline="before it",
        baseline_value=before[0],
        bar=10,
        bar_on="difference",
        n=RUNS,
        details={"rss_before": round(before[1], 1), "rss_after": round(after[1], 1)},
    )
