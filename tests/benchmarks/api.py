"""The API with 1,000 scripts and 100,000 runs, asked by ten clients; the look-up of keys; a flood of triggers."""

import http.client
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from statistics import median

from tests.benchmarks.clients import Client
from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.long_history import service_with_history, worked
from tests.benchmarks.setting import Setting, running
from tests.service import Service

SCRIPTS, RUNS, KEYS = 1_000, 100_000, 10_000
CLIENTS, ROUNDS, ASKED = 10, 5, 20  # requests of a client in a round
PAUSE_S = 0.2  # between two requests of a client: a screen that polls, ten of them
LIST_BAR_MS, HEALTH_BAR_MS, KEY_RATIO = 50, 10, 1.3
FLOOD_A_SECOND, FLOOD_S, FLOOD_CLIENTS = 100, 10, 10
PAGE_BAR_MS = 1_000
ADDRESSES = {
    "list of runs": "/runs",
    "a run": "/runs/50000",
    "list of scripts": "/scripts",
    "a script": "/scripts/nightly-backup",
}
MORE_KEYS = f"""
from tempo_site.models import ApiKey
rows = [ApiKey(name="x", prefix="x", digest=f"{{number:064x}}") for number in range({KEYS})]
ApiKey.objects.bulk_create(rows)
"""


def measure(setting: Setting) -> Iterator[Figure]:
    unlimited = {"PYSCHED_RATE_LIMIT_ENABLED": "false"}
    with service_with_history(setting, scripts=SCRIPTS, runs=RUNS, **unlimited) as service:
        for name, path in ADDRESSES.items():
            yield ten_clients(service, name, path)
        yield health(service)
        yield key_look_up(service)
    with running(setting) as service:
        yield from flood(service)


def ten_clients(service: Service, name: str, path: str) -> Figure:
    """The median over some rounds of what 95 of 100 requests take at most."""
    clients = [Client(service) for _ in range(CLIENTS)]

    def polled(client: Client) -> list[float]:
        return [timed_ms(lambda: asked(client, path), pause_s=PAUSE_S) for _ in range(ASKED)]

    alone = [timed_ms(lambda: asked(clients[0], path)) for _ in range(ASKED)]
    rounds = []
    with ThreadPoolExecutor(CLIENTS) as threads:
        for _ in range(ROUNDS):
            found = threads.map(polled, clients)
            rounds.append(percentile([ms for each in found for ms in each], 95))
    return Figure(
        benchmark="api",
        figure=f"{name}, p95 of {CLIENTS} clients",
        value=median(rounds),
        unit="ms",
        baseline="one client, median",
        baseline_value=median(alone),
        bar=LIST_BAR_MS,
        bar_on="value",
        n=ROUNDS * CLIENTS * ASKED,
        details={"rounds": [round(each, 1) for each in rounds]},
    )


def asked(client: Client, path: str) -> None:
    status, content = client.call("GET", path)
    assert status == 200, content


def timed_ms(act: Callable[[], object], *, pause_s: float = 0.0) -> float:
    begin = time.perf_counter()
    act()
    taken_ms = 1000 * (time.perf_counter() - begin)
    time.sleep(pause_s)
    return taken_ms


def health(service: Service) -> Figure:
    connection = connected(service)

    def look() -> None:
        connection.request("GET", "/healthz")
        connection.getresponse().read()

    samples = [timed_ms(look) for _ in range(200)]
    return Figure(
        benchmark="api",
        figure="/healthz, p95",
        value=percentile(samples, 95),
        unit="ms",
        baseline="median",
        baseline_value=median(samples),
        bar=HEALTH_BAR_MS,
        bar_on="value",
        n=len(samples),
    )


def key_look_up(service: Service) -> Figure:
    """A small request with a key, among 10,000 others and before they were there."""
    client = Client(service)
    before: list[float] = []
    after: list[float] = []
    for samples in (before, after):
        samples += [timed_ms(lambda: asked(client, "/pause")) for _ in range(300)]
        if samples is before:
            worked(service.data, MORE_KEYS)
    return Figure(
        benchmark="api",
        figure=f"a request by key, {KEYS:,} keys",
        value=median(after),
        unit="ms",
        baseline="1 key",
        baseline_value=median(before),
        bar=KEY_RATIO,
        bar_on="ratio",
        n=len(before),
    )


def flood(service: Service) -> Iterator[Figure]:
    """A hundred calls of a trigger in each of ten seconds, and what a page and another key take meanwhile."""
    key, other = triggered(service, "Flood"), triggered(service, "Other")
    answers: Counter[int] = Counter()
    others: Counter[int] = Counter()
    pages_ms: list[float] = []
    is_over = threading.Event()

    def look_meanwhile() -> None:
        connection, client = connected(service), Client(service)
        while not is_over.wait(0.25):
            pages_ms.append(timed_ms(lambda: asked(client, "/runs")))
            others[trigger(connection, "other", other)] += 1

    watcher = threading.Thread(target=look_meanwhile)
    watcher.start()
    with ThreadPoolExecutor(FLOOD_CLIENTS) as threads:
        for found in threads.map(lambda _: called_often(service, key), range(FLOOD_CLIENTS)):
            answers += found
    is_over.set()
    watcher.join()
    yield Figure(
        benchmark="api",
        figure=f"list of runs while a trigger is called {FLOOD_A_SECOND} times a second, p95",
        value=percentile(pages_ms, 95),
        unit="ms",
        baseline="median",
        baseline_value=median(pages_ms),
        bar=PAGE_BAR_MS,
        bar_on="value",
        n=len(pages_ms),
        details={"answers": dict(answers), "of another key": dict(others)},
    )


def called_often(service: Service, key: str) -> Counter[int]:
    """The answers to what one client sends, at its share of the flood."""
    connection, answers = connected(service), Counter[int]()
    begin = time.monotonic()
    for number in range(FLOOD_A_SECOND * FLOOD_S // FLOOD_CLIENTS):
        due = begin + number * FLOOD_CLIENTS / FLOOD_A_SECOND
        time.sleep(max(0.0, due - time.monotonic()))
        answers[trigger(connection, "flood", key)] += 1
    return answers


def connected(service: Service) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)


def triggered(service: Service, name: str) -> str:
    """A script with its trigger on; the key."""
    slug = service.make_script(name, "print(1)\n")
    status, told = service.call("PUT", f"/scripts/{slug}/trigger", {"enabled": True})
    assert status == 200, told
    return str(service.post(f"/scripts/{slug}/trigger/keys")["key"])


def trigger(connection: http.client.HTTPConnection, slug: str, key: str) -> int:
    connection.request("POST", f"/trigger/{slug}", b"{}", {"X-API-Key": key})
    answer = connection.getresponse()
    answer.read()
    return answer.status
