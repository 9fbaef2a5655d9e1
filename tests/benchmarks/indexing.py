"""What the index of the search takes from others: from the end of runs while an old history is indexed, and at rest."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from statistics import median

from tests.benchmarks import procfs
from tests.benchmarks.clients import Client
from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.long_history import service_with_logs
from tests.benchmarks.setting import Setting
from tests.service import Service, wait_for

RUNS, LINES = 10_000, 100
SETTLED_RUNS, SETTLE_BAR_MS = 200, 10
TALKING = "for n in range(40):\n    print(n, 'lines of a run that is indexed soon')\n"
POLL_S = 0.002
CALM_S, IDLE_S, INDEX_LIMIT_S = 5.0, 25.0, 600.0
IDLE_BAR_PERCENT, MEMORY_BAR_MB = 0.05, 1
WITHOUT = "without the index"
UNLIMITED = {
    "PYSCHED_RATE_LIMIT_ENABLED": "false"
}  # the state of a run is asked every few milliseconds


def measure(setting: Setting) -> Iterator[Figure]:
    """Two services in turn, of which one cannot index."""
    with ExitStack() as stack:
        indexed, plain = (
            stack.enter_context(service_with_logs(setting, runs=RUNS, lines=LINES, **UNLIMITED))
            for _ in range(2)
        )
        # A folder where the index keeps what it covers: it can never begin.
        (plain.data / "search" / "coverage.json").mkdir(parents=True)
        for service in (indexed, plain):
            stack.enter_context(service)
        yield settling(indexed, plain)
        wait_for(lambda: indexed_percent(indexed) == 100, what="the index", limit_s=INDEX_LIMIT_S)
        indexed_percent(plain)  # so that both have answered a search
        yield from idling(indexed, plain)


def settling(indexed: Service, plain: Service) -> Figure:
    """From the end of the script's process to the end of the run in the API, in turn."""
    slugs = [service.make_script("Talking", TALKING) for service in (indexed, plain)]
    clients = [Client(service) for service in (indexed, plain)]
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(SETTLED_RUNS):
        for client, slug, found in zip(clients, slugs, times, strict=True):
            found.append(settled_ms(client, slug))
    return Figure(
        benchmark="indexing",
        figure="end of a run's process to its end in the API, p99, while an old history is indexed",
        value=percentile(times[0], 99),
        unit="ms",
        baseline=WITHOUT,
        baseline_value=percentile(times[1], 99),
        bar=SETTLE_BAR_MS,
        bar_on="difference",
        n=SETTLED_RUNS,
        details={
            "medians": [round(median(each), 1) for each in times],
            "p90": [round(percentile(each, 90), 1) for each in times],
            "indexed_percent_at_the_end": indexed_percent(indexed),
        },
    )


def settled_ms(client: Client, slug: str) -> float:
    run_id = client.start(slug)
    while True:
        status, content = client.call("GET", f"/runs/{run_id}")
        told_at = time.time()
        assert status == 200, content
        run = json.loads(content)
        if run["finished_at"]:
            return 1000 * (told_at - datetime.fromisoformat(run["finished_at"]).timestamp())
        time.sleep(POLL_S)


def indexed_percent(service: Service) -> int:
    return int(service.get("/search?q=zeppelin")["indexed_percent"])


def idling(indexed: Service, plain: Service) -> Iterator[Figure]:
    """Time on a core and memory of all processes, of both at the same time."""
    time.sleep(CALM_S)  # until no runner waits for another run
    trees = [procfs.tree(service) for service in (indexed, plain)]
    percents = procfs.percents((*trees[0], *trees[1]), over_s=IDLE_S)
    idle = [sum(percents[pid] for pid in tree) for tree in trees]
    sizes = [sum(procfs.pss_mb(pid) for pid in tree) for tree in trees]
    yield calm("time on a core while idling", "% of a core", idle, bar=IDLE_BAR_PERCENT)
    yield calm("PSS of all processes when all is indexed", "MB", sizes, bar=MEMORY_BAR_MB)


def calm(figure: str, unit: str, values: list[float], *, bar: float) -> Figure:
    return Figure(
        benchmark="indexing",
        figure=figure,
        value=values[0],
        unit=unit,
        baseline=WITHOUT,
        baseline_value=values[1],
        bar=bar,
        bar_on="difference",
        n=1,
    )
