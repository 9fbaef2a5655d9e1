"""How soon Tempo answers: after a start with everything set up, and after a kill of its web process."""

import contextlib
import http.client
import os
import signal
import threading
import time
from collections.abc import Iterator
from statistics import median

from tests.benchmarks.clients import Client
from tests.benchmarks.figures import Figure
from tests.benchmarks.setting import Bare, Setting, running
from tests.service import Service

STARTS = 5
KILLS = 5
PAUSE_S = 0.02
CALM_S = 1.0


def measure(setting: Setting) -> Iterator[Figure]:
    """Starts first, then kills of the last one's web process while a client keeps asking."""
    with running(setting) as service:
        bare = Bare.of(service)
        bare_s = median(bare.run_s("-c", "pass") for _ in range(STARTS * 2))
        starts = [start_s(service) for _ in range(STARTS)]
        yield figure("start to the first 200, max", starts, bare_s, bar=1.2)
        with asking(service) as lost:
            kills = [kill_s(service) for _ in range(KILLS)]
        yield figure("web killed with -9 to healthy, max", kills, bare_s, bar=2)
        yield lost_requests(len(lost))


def start_s(service: Service) -> float:
    """Seconds from `manage.py serve` to health, everything set up before."""
    service.stop()
    began = time.monotonic()
    service.start()
    return time.monotonic() - began


def kill_s(service: Service) -> float:
    """Seconds from the kill to health; requests wait in the launcher's socket meanwhile."""
    pid = service.web_pid()
    time.sleep(CALM_S)
    began = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    service.wait_until_healthy()
    elapsed_s = time.monotonic() - began
    assert service.web_pid() != pid
    return elapsed_s


@contextlib.contextmanager
def asking(service: Service) -> Iterator[list[Exception]]:
    """One client that asks for the list of runs again and again; collects what it lost."""
    lost: list[Exception] = []
    is_over = threading.Event()

    def ask() -> None:
        client = Client(service)
        while not is_over.wait(PAUSE_S):
            try:
                client.list_runs()
            except (OSError, http.client.HTTPException) as error:
                lost.append(error)
                client = Client(service)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield lost
    finally:
        is_over.set()
        thread.join()


def figure(name: str, samples: list[float], bare_s: float, *, bar: float) -> Figure:
    """The slowest of some starts."""
    return Figure(
        benchmark="restart",
        figure=name,
        value=max(samples),
        unit="s",
        baseline="bare `python -c pass`, median",
        baseline_value=bare_s,
        bar=bar,
        bar_on="value",
        n=len(samples),
        details={"median": round(median(samples), 3)},
    )


def lost_requests(count: int) -> Figure:
    """A client that asks one thing at a time can lose one request at each kill."""
    return Figure(
        benchmark="restart",
        figure="requests of one client lost over all kills",
        value=count,
        unit="requests",
        baseline="what is in flight: one at each kill",
        baseline_value=KILLS,
        bar=KILLS,
        bar_on="value",
        n=KILLS,
    )
