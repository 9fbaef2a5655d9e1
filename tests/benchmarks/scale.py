"""Time of pages and lists, start and memory with 100,000 runs in the history, with `--long` 1,000,000, beside 1,000."""

import time
from collections.abc import Iterator
from statistics import median
from typing import NamedTuple

from tests.benchmarks import procfs
from tests.benchmarks.clients import Browser
from tests.benchmarks.figures import Figure
from tests.benchmarks.long_history import ALONE, history
from tests.benchmarks.pages import WARM_UP, asked
from tests.benchmarks.restart import start_s
from tests.benchmarks.setting import Setting
from tests.service import Service

FEW, MANY, MANY_LONG = 1_000, 100_000, 1_000_000
SCRIPTS = 100
SLUG = "nightly-backup"
RATIO_BAR, TIME_BAR_MS, START_BAR_S, MEMORY_BAR_MB = 1.3, 100, 2, 5
ROUNDS, ASKED, STARTS = 3, 7, 3
CALM_S = 4.0
ADDRESSES = {
    "runs": "/runs/",
    "runs of a script": f"/runs/?script={SLUG}",
    "runs, failed": "/runs/?status=failed",
    "runs, any bad end": "/runs/?status=bad",
    "runs, not ended": "/runs/?status=active",
    "runs of a script, failed": f"/runs/?script={SLUG}&status=failed",
    "runs of a folder": "/runs/?folder=Ops",
    "runs with a tag": "/runs/?tag=backup",
    "runs, failed, of a folder": "/runs/?folder=Ops&status=failed",
    "runs of 7 days": "/runs/?since=7d",
    "runs by a trigger that nothing used": "/runs/?trigger=url",
    "runs that none was as short as": "/runs/?max_s=0",
    "runs up to a day before all": "/runs/?to=2001-01-01",
    "runs with a word in their output": "/runs/?q=archive",
    "search for a word": "/search/?q=archive",
    "search for what is nowhere": "/search/?q=zeppelin",
    "dashboard": "/",
    "scripts": "/scripts/",
    "overview of a script": f"/scripts/{SLUG}/",
    "runs tab of a script": f"/scripts/{SLUG}/runs/",
    "failures": "/failures/",
    "statistics": "/statistics/",
    "retention": "/retention/",
    "API, runs": "/api/v1/runs",
    "API, runs, lost": "/api/v1/runs?status=lost",
    "API, five runs of a script": f"/api/v1/runs?script={SLUG}&limit=5",
    "API, five failed runs of a folder": "/api/v1/runs?folder=Ops&status=failed&limit=5",
    "API, search": "/api/v1/search?q=archive",
    "API, failures": "/api/v1/failures",
    "API, statistics of a script": f"/api/v1/scripts/{SLUG}/statistics",
}


class Asked(NamedTuple):
    """What each of some requests took: the time of `web` on a core, and the clock's."""

    cpu_ms: float
    fastest_ms: float
    median_ms: float
    answer_kb: float


def measure(setting: Setting) -> Iterator[Figure]:
    """Two services beside each other, asked in turn."""
    runs = many_runs(setting)
    folders = [history(setting, scripts=SCRIPTS, runs=each) for each in (FEW, runs)]
    with Service(folders[0], **ALONE) as few, Service(folders[1], **ALONE) as many:
        yield starting(few, many, many_runs=runs)
        yield from pages(few, many, many_runs=runs)
        yield memory(few, many, many_runs=runs)


def many_runs(setting: Setting) -> int:
    return MANY_LONG if setting.is_long else MANY


def starting(few: Service, many: Service, *, many_runs: int) -> Figure:
    times: dict[int, list[float]] = {few.port: [], many.port: []}
    for _ in range(STARTS):
        for service in (few, many):
            times[service.port].append(start_s(service))
    return Figure(
        benchmark="scale",
        figure=f"start to the first 200 with {many_runs:,} runs",
        value=median(times[many.port]),
        unit="s",
        baseline=f"with {FEW:,} runs",
        baseline_value=median(times[few.port]),
        bar=START_BAR_S,
        bar_on="value",
        n=STARTS,
    )


def pages(few: Service, many: Service, *, many_runs: int) -> Iterator[Figure]:
    """Time of a core for each address, the least of some rounds in turn, beside the short history."""
    cookies = {service.port: Browser(service).cookie_header() for service in (few, many)}
    for name, path in ADDRESSES.items():
        rounds: dict[int, list[Asked]] = {few.port: [], many.port: []}
        for _ in range(ROUNDS):
            for service in (few, many):
                rounds[service.port].append(ask(service, path, cookies[service.port]))
        short, long = best(rounds[few.port]), best(rounds[many.port])
        yield Figure(
            benchmark="scale",
            figure=f"{name} with {many_runs:,} runs",
            value=long.cpu_ms,
            unit="ms of a core",
            baseline=f"with {FEW:,} runs",
            baseline_value=short.cpu_ms,
            bar=RATIO_BAR,
            bar_on="ratio",
            n=ROUNDS,
            details={
                "within_100_ms": long.fastest_ms <= TIME_BAR_MS,
                "fastest_ms": [round(long.fastest_ms, 1), round(short.fastest_ms, 1)],
                "median_ms": [round(long.median_ms, 1), round(short.median_ms, 1)],
                "answer_kb": [round(long.answer_kb, 1), round(short.answer_kb, 1)],
            },
        )


def ask(service: Service, path: str, cookie: str) -> Asked:
    web = service.web_pid()
    began_s = procfs.cpu_s(web)
    samples_ms, content = asked(service, path, cookie, rounds=ASKED)
    took_s = procfs.cpu_s(web) - began_s
    return Asked(
        cpu_ms=1000 * took_s / (WARM_UP + ASKED),
        fastest_ms=min(samples_ms),
        median_ms=median(samples_ms),
        answer_kb=len(content) / 1000,
    )


def best(rounds: list[Asked]) -> Asked:
    """The least of each: a busy neighbour only adds to them."""
    return Asked(*(min(values) for values in zip(*rounds, strict=True)))


def memory(few: Service, many: Service, *, many_runs: int) -> Figure:
    """What all processes of each take, after both were asked for the same."""
    time.sleep(CALM_S)
    sizes = [sum(procfs.pss_mb(pid) for pid in procfs.tree(service)) for service in (many, few)]
    return Figure(
        benchmark="scale",
        figure=f"PSS of all processes with {many_runs:,} runs",
        value=sizes[0],
        unit="MB",
        baseline=f"with {FEW:,} runs",
        baseline_value=sizes[1],
        bar=MEMORY_BAR_MB,
        bar_on="difference",
        n=1,
    )
