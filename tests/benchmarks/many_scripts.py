"""Five hundred scripts, moved in through the API: how fast they come, and what pages cost with them and with fifty."""

import http.client
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from tests.benchmarks.clients import HEADERS, Browser, Client
from tests.benchmarks.figures import Figure
from tests.benchmarks.setting import Setting, running
from tests.service import Service, manage, wait_for

FEW, MANY = 50, 500
ROUNDS, WARM_UP = 10, 2
TIME_BAR_MS = 1000
PLACES = ("Office", "Shop", "Shop/Stock", "Warehouse", "")
ADDRESSES = {
    "scripts": "/scripts/",
    "dashboard": "/",
    "a script": "/scripts/moved-in-0/",
    "API, list of scripts": "/api/v1/scripts?limit=200",
}
TELL = "from tests.benchmarks import asking; asking.tell({paths!r})"


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What an address costs: milliseconds at the median, and queries."""

    ms: float
    queries: int


def measure(setting: Setting) -> Iterator[Figure]:
    """Fifty scripts first, then all of them, in the same service."""
    with running(setting) as service:
        first_s = moved_in(service, 0, FEW)
        few = costs(service)
        rest_s = moved_in(service, FEW, MANY)
        many = costs(service)
    yield arriving(first_s / FEW, rest_s / (MANY - FEW))
    for name in ADDRESSES:
        yield slowness(name, few[name], many[name])
        yield growth(name, few[name], many[name])


def moved_in(service: Service, start: int, end: int) -> float:
    """Create scripts, each with a schedule that is a day away; seconds for all of them."""
    client = Client(service)
    began = time.perf_counter()
    for number in range(start, end):
        folder, code = PLACES[number % len(PLACES)], f"print('script {number}')\n"
        script: dict[str, object] = {
            "name": f"Moved in {number}",
            "folder": folder,
            "code": code,
            "tags": ["moved", f"t{number % 7}"],
        }
        posted(client, "/scripts", script)
        posted(
            client, f"/scripts/moved-in-{number}/schedules", {"kind": "interval", "every_s": 86400}
        )
    elapsed_s = time.perf_counter() - began
    client.close()
    last = f"/scripts/moved-in-{end - 1}"
    wait_for(
        lambda: service.get(last)["environment"]["state"] == "ready",
        what="the environment of the last one",
    )
    return elapsed_s


def posted(client: Client, path: str, body: dict[str, object]) -> None:
    """Create something that must not be refused."""
    status, content = client.call("POST", path, json.dumps(body).encode())
    assert status == 201, content


def costs(service: Service) -> dict[str, Cost]:
    """What each address costs now."""
    told = manage(service.data, "shell", "-c", TELL.format(paths=list(ADDRESSES.values())))
    queries = json.loads(told.splitlines()[-1])  # above it the shell tells what it has imported
    cookie = Browser(service).cookie_header()
    return {
        name: Cost(ms=waited_ms(service, path, cookie), queries=queries[path])
        for name, path in ADDRESSES.items()
    }


def waited_ms(service: Service, path: str, cookie: str) -> float:
    """The median wait over a kept connection."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
    samples_ms = []
    for _ in range(WARM_UP + ROUNDS):
        began = time.perf_counter()
        connection.request(
            "GET", path, headers=HEADERS if path.startswith("/api/") else {"Cookie": cookie}
        )
        answer = connection.getresponse()
        answer.read()
        samples_ms.append((time.perf_counter() - began) * 1000)
        assert answer.status == 200, f"{path} answered {answer.status}"
    connection.close()
    return median(samples_ms[WARM_UP:])


def arriving(first_s: float, rest_s: float) -> Figure:
    """A script and its schedule, among hundreds beside among a few."""
    return Figure(
        benchmark="many_scripts",
        figure=f"a script with its schedule through the API, of {MANY}",
        value=rest_s * 1000,
        unit="ms",
        baseline=f"of the first {FEW}",
        baseline_value=first_s * 1000,
        bar=None,
        bar_on="ratio",
        n=MANY - FEW,
    )


def slowness(name: str, few: Cost, many: Cost) -> Figure:
    """How long one waits."""
    return Figure(
        benchmark="many_scripts",
        figure=f"{name} with {MANY} scripts: server time",
        value=many.ms,
        unit="ms",
        baseline=f"with {FEW} scripts",
        baseline_value=few.ms,
        bar=TIME_BAR_MS,
        bar_on="value",
        n=ROUNDS,
    )


def growth(name: str, few: Cost, many: Cost) -> Figure:
    """How many queries it asks more."""
    return Figure(
        benchmark="many_scripts",
        figure=f"{name} with {MANY} scripts: queries",
        value=many.queries,
        unit="queries",
        baseline=f"with {FEW} scripts",
        baseline_value=few.queries,
        bar=0,
        bar_on="difference",
        n=1,
    )
