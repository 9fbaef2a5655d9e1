"""How late the first line of a scheduled script is: alone, and twenty a second while the list of runs is polled."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from statistics import median
from typing import Any

from tests.benchmarks.clients import Client
from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.setting import FIRST_LINE, Bare, Setting, running
from tests.service import Service, wait_for

FIRINGS = 20
BARE_STARTS = 20
INTERVAL = {"kind": "interval", "every_s": 2}
CRON_SECONDS = {
    "kind": "cron",
    "cron": "*/3 * * * * *",
}  # a cron minute in a hurry: `--long` measures true minutes
CRON_MINUTES = {"kind": "cron", "cron": "* * * * *"}

CROWD = 20
CROWD_S = 10.0
CLIENTS = 5
PAUSE_S = 0.5  # between two looks of one client
SPREAD = {"kind": "interval", "every_s": 1, "overlap": "parallel", "max_parallel": 20}
AT_ONCE = {"kind": "cron", "cron": "* * * * * *", "overlap": "parallel", "max_parallel": 20}


def measure(setting: Setting) -> Iterator[Figure]:
    """One schedule of each kind first, then the crowds."""
    with running(setting) as service:
        bare_ms = median_start_ms(Bare.of(service))
        yield from alone(service, bare_ms, setting)
        yield from crowds(service, bare_ms)


def median_start_ms(bare: Bare) -> float:
    """What a script's first line needs without Tempo."""
    return median(bare.first_line_ms() for _ in range(BARE_STARTS))


# --- one at a time ---------------------------------------------------------------------------------------------------
def alone(service: Service, bare_ms: float, setting: Setting) -> Iterator[Figure]:
    """An interval and a cron expression beside each other, half a second apart, so that they do not meet."""
    wait_for_fraction(0.5)
    slugs = {"interval of 2 s": scheduled(service, "Interval", INTERVAL)}
    slugs["cron of 3 s"] = scheduled(service, "Cron", CRON_SECONDS)
    time.sleep(3 * (FIRINGS + 1))
    if setting.is_long:
        slugs["cron minute"] = scheduled(service, "Minute", CRON_MINUTES)
        time.sleep(60 * (FIRINGS + 1))
    stop_schedules(service, list(slugs.values()))
    for name, slug in slugs.items():
        yield from figures_of(name, lateness_ms(service, slug)[:FIRINGS], bare_ms)


def figures_of(name: str, late_ms: list[float], bare_ms: float) -> Iterator[Figure]:
    """Median and maximum of one schedule."""
    assert len(late_ms) == FIRINGS, f"{name}: {len(late_ms)} firings of {FIRINGS}"
    yield late(f"{name}, median", median(late_ms), bare_ms, bar=20, n=FIRINGS)
    yield late(f"{name}, max", max(late_ms), bare_ms, bar=100, n=FIRINGS)


# --- a crowd ---------------------------------------------------------------------------------------------------------
def crowds(service: Service, bare_ms: float) -> Iterator[Figure]:
    """Twenty schedules of a second, spread over it and then all at the same instant."""
    idle_ms = median(answers_ms(service, looks=20))
    spread, answers = crowd(service, SPREAD, apart_s=1 / CROWD)
    yield late("20 spread over each second, median", median(spread), bare_ms, bar=25, n=len(spread))
    yield late(
        "20 spread over each second, p95", percentile(spread, 95), bare_ms, bar=50, n=len(spread)
    )
    yield answer("20 spread over each second", answers, idle_ms)
    at_once, answers = crowd(service, AT_ONCE, apart_s=0)
    yield late("20 at the same instant, median", median(at_once), bare_ms, bar=200, n=len(at_once))
    lasts = [max(at_once[start : start + CROWD]) for start in range(0, len(at_once), CROWD)]
    details = {"median_of_the_lasts": round(median(lasts), 1)}
    yield late(
        "20 at the same instant, last",
        max(lasts),
        bare_ms,
        bar=400,
        n=len(at_once),
        details=details,
    )
    yield answer("20 at the same instant", answers, idle_ms)


def crowd(
    service: Service, schedule: dict[str, Any], *, apart_s: float
) -> tuple[list[float], list[float]]:
    """(lateness, answer times) in ms of a crowd of schedules: the moments of ten whole seconds, in their order."""
    kind = str(schedule["kind"])
    slugs = [service.make_script(f"Crowd {kind} {number}", FIRST_LINE) for number in range(CROWD)]
    wait_for_fraction(0.0)
    began = time.monotonic()
    for number, slug in enumerate(slugs):
        time.sleep(max(0.0, began + number * apart_s - time.monotonic()))
        service.post(f"/scripts/{slug}/schedules", schedule)
    time.sleep(2.0)
    first = math.ceil(time.time())
    with polling(service) as answers:
        time.sleep(CROWD_S)
    stop_schedules(service, slugs)
    moments = sorted(
        moment for slug in slugs for moment in firings(service, slug) if first <= moment[0]
    )
    within = [late_ms for due, late_ms in moments if due < first + CROWD_S - 1]
    assert len(within) == CROWD * (CROWD_S - 1), f"{len(within)} firings"
    return within, answers


@contextmanager
def polling(service: Service) -> Iterator[list[float]]:
    """Clients that ask for the list of runs twice a second each; the list collects their answer times in ms."""
    answers: list[float] = []
    is_over = threading.Event()

    def poll() -> None:
        client = Client(service)
        while not is_over.wait(PAUSE_S):
            answers.append(look_ms(client))
        client.close()

    threads = [threading.Thread(target=poll) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
        time.sleep(PAUSE_S / CLIENTS)
    try:
        yield answers
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


def answers_ms(service: Service, *, looks: int) -> list[float]:
    """Answer times of one client that asks alone."""
    client = Client(service)
    return [look_ms(client) for _ in range(looks)]


def look_ms(client: Client) -> float:
    """The answer time of one look."""
    asked = time.monotonic()
    client.list_runs()
    return (time.monotonic() - asked) * 1000


# --- schedules and what came of them ---------------------------------------------------------------------------------
def scheduled(service: Service, name: str, schedule: dict[str, Any]) -> str:
    """A script with a schedule; returns its slug."""
    slug = service.make_script(name, FIRST_LINE)
    service.post(f"/scripts/{slug}/schedules", schedule)
    return slug


def stop_schedules(service: Service, slugs: list[str]) -> None:
    """Delete the schedules of some scripts and wait for the end of their runs."""
    client = Client(service)
    for slug in slugs:
        for schedule in service.get(f"/scripts/{slug}/schedules")["items"]:
            status, content = client.call("DELETE", f"/schedules/{schedule['id']}")
            assert status == 204, content
    client.close()
    for slug in slugs:
        wait_for(has_ended(service, slug), what=f"the end of the runs of {slug}")


def has_ended(service: Service, slug: str) -> Callable[[], bool]:
    """A condition: no run of the script is open."""
    return lambda: all(run["finished_at"] for run in runs_of(service, slug))


def lateness_ms(service: Service, slug: str) -> list[float]:
    """How late each run of a script was, in the order of their due moments."""
    return [late_ms for _, late_ms in sorted(firings(service, slug))]


def firings(service: Service, slug: str) -> Iterator[tuple[float, float]]:
    """(due moment, milliseconds from it to the first line) of each run; AssertionError when one did not succeed."""
    for run in runs_of(service, slug):
        assert run["exit_code"] == 0, run
        due = datetime.fromisoformat(run["due_at"]).timestamp()
        yield due, (float(service.get(f"/runs/{run['id']}/log")) - due) * 1000


def runs_of(service: Service, slug: str) -> list[dict[str, Any]]:
    """The newest 200 runs of a script."""
    items: list[dict[str, Any]] = service.get(f"/runs?script={slug}&limit=200")["items"]
    return items


def wait_for_fraction(fraction: float) -> None:
    """Sleep until the clock shows this fraction of a second."""
    time.sleep((fraction - time.time()) % 1)


# --- figures ---------------------------------------------------------------------------------------------------------
def late(
    figure: str,
    value: float,
    bare_ms: float,
    *,
    bar: float,
    n: int,
    details: dict[str, Any] | None = None,
) -> Figure:
    """A lateness."""
    return Figure(
        benchmark="lateness",
        figure=figure,
        value=value,
        unit="ms",
        baseline="bare start to first line, median",
        baseline_value=bare_ms,
        bar=bar,
        bar_on="difference",
        n=n,
        details=details or {},
    )


def answer(crowd_name: str, answers: list[float], idle_ms: float) -> Figure:
    """What the clients that polled meanwhile had to wait."""
    return Figure(
        benchmark="lateness",
        figure=f"{crowd_name}, API p95 meanwhile",
        value=percentile(answers, 95),
        unit="ms",
        baseline="the same call to an idle service, median",
        baseline_value=idle_ms,
        bar=60,
        bar_on="value",
        n=len(answers),
        details={"median": round(median(answers), 1)},
    )
