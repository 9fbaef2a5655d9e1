"""Growth of the web process while it is used for a long time: runs, failing scripts, pages, log-ins, live viewers."""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from statistics import linear_regression

from tests.benchmarks import memory, procfs
from tests.benchmarks.clients import Browser, Client, output_frames, socket_to
from tests.benchmarks.figures import Figure
from tests.benchmarks.setting import FIRST_LINE, Setting, running
from tests.service import Service

MINUTES = float(os.environ.get("TEMPO_BENCHMARK_SOAK_MINUTES", "24"))
WARM_SHARE = 0.5  # of the time: each thread opens its connection, and caches fill for ten minutes
SAMPLE_S = 5.0
PAUSE_S = 0.5
HOURS = 2.0
MAX_MB = 3.0
TALKER = "import time\nfor number in range(20):\n    print(number)\n    time.sleep(0.05)\n"
FAILING = "raise ValueError('as it is meant to')\n"


def measure(setting: Setting) -> Iterator[Figure]:
    """Use everything again and again; the slope behind the warm-up says what two hours would add."""
    with running(setting) as service:
        slugs = [
            service.make_script("Soak no-op", FIRST_LINE),
            service.make_script("Soak talker", TALKER),
            service.make_script("Soak failing", FAILING),
        ]
        memory.use(service)
        service.post(f"/scripts/{slugs[0]}/schedules", {"kind": "interval", "every_s": 2})
        with churning(service, slugs):
            samples = sampled(service)
    yield growth(samples)


def sampled(service: Service) -> list[tuple[float, float]]:
    """(minutes, private MB of the web process), without the warm-up."""
    began = time.monotonic()
    samples = []
    pid = service.web_pid()
    while (elapsed := (time.monotonic() - began) / 60) < MINUTES:
        if elapsed > MINUTES * WARM_SHARE:
            samples.append((elapsed, procfs.anonymous_mb(pid)))
        time.sleep(SAMPLE_S)
    assert service.web_pid() == pid, "web was started again meanwhile"
    return samples


@contextmanager
def churning(service: Service, slugs: list[str]) -> Iterator[None]:
    """Three kinds of people at work, until the end of the block."""
    is_over = threading.Event()
    failures: list[Exception] = []

    def repeat(act: Callable[[Service, list[str]], None]) -> None:
        while not is_over.wait(PAUSE_S):
            try:
                act(service, slugs)
            except Exception as error:  # told at the end: the others go on
                failures.append(error)

    with ExitStack() as stack:
        for act in (start_runs, open_pages, watch):
            thread = threading.Thread(target=repeat, args=(act,))
            thread.start()
            stack.callback(thread.join)
        stack.callback(is_over.set)
        yield
    assert not failures, failures[:3]


def start_runs(service: Service, slugs: list[str]) -> None:
    """A run of each script, over one connection."""
    client = Client(service)
    for slug in slugs:
        client.start(slug)
    client.list_runs()
    client.close()


def open_pages(service: Service, slugs: list[str]) -> None:
    """Log in and look at everything once."""
    browser = Browser(service)
    newest = service.get("/runs")["items"][0]["id"]
    for path in ("/", "/scripts/", "/runs/", f"/runs/{newest}/", "/environments/", "/variables/"):
        browser.open(path)
    for slug in slugs:
        browser.open(f"/scripts/{slug}/")
        browser.open(f"/scripts/{slug}/edit/")


def watch(service: Service, slugs: list[str]) -> None:
    """Follow a run from its first line to its end."""
    client = Client(service)
    run_id = client.start(slugs[1])
    client.close()
    asyncio.run(follow(service, run_id))


async def follow(service: Service, run_id: int) -> None:
    async with socket_to(service, f"/ws/runs/{run_id}/?offset=0") as socket:
        async for _ in output_frames(socket):
            pass


def growth(samples: list[tuple[float, float]]) -> Figure:
    minutes, sizes = zip(*samples, strict=True)
    slope = linear_regression(minutes, sizes).slope
    return Figure(
        benchmark="soak",
        figure=f"growth of web in {HOURS:.0f} h of use, from {MINUTES:.0f} minutes",
        value=slope * HOURS * 60,
        unit="MB",
        baseline="private memory behind the warm-up, MB",
        baseline_value=sizes[0],
        bar=MAX_MB,
        bar_on="value",
        n=len(samples),
        details={"mb": [round(size, 1) for size in sizes[:: max(1, len(sizes) // 12)]]},
    )
