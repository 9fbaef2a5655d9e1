"""Many runs at once: a hundred that do nothing, and twenty that sleep."""

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from websockets.asyncio.client import ClientConnection

from tests.benchmarks.clients import Client, socket_to
from tests.benchmarks.figures import Figure
from tests.benchmarks.setting import Bare, Setting, running
from tests.service import Service

NO_OPS = 100
SLEEPERS = 20
CLIENTS = 10
LIMIT_S = 60.0
# Says in one system call that it was executed, so that executions can be counted.
NO_OP = """
import os
file = os.open("executed", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
os.write(file, os.environ["TEMPO_RUN_ID"].encode() + b" ")
"""
SLEEPER = "import time\nprint(time.time())\ntime.sleep(5)\nprint(time.time())\n"


def measure(setting: Setting) -> Iterator[Figure]:
    """The hundred first."""
    with running(setting) as service:
        bare = Bare.of(service)
        yield no_ops(service, bare)
        yield sleepers(service, bare)


def no_ops(service: Service, bare: Bare) -> Figure:
    """Half of the bare starts before and half after, as machines drift."""
    slug = service.make_script("No-op", NO_OP)
    service.run(slug)
    executed = service.data / "scripts" / slug / "files" / "executed"
    executed.unlink()
    bare_s = sum(bare.run_s("-c", "pass") for _ in range(NO_OPS // 2))
    runs, elapsed_s = asyncio.run(run_all(service, [slug] * NO_OPS))
    bare_s += sum(bare.run_s("-c", "pass") for _ in range(NO_OPS // 2))
    assert sorted(map(int, executed.read_text().split())) == sorted(runs), (
        "not every run was executed exactly once"
    )
    return Figure(
        benchmark="throughput",
        figure=f"{NO_OPS} no-op runs started through the API at once",
        value=elapsed_s,
        unit="s",
        baseline=f"{NO_OPS} bare `python -c pass` in sequence",
        baseline_value=bare_s,
        bar=1.8,
        bar_on="ratio",
        n=NO_OPS,
    )


def sleepers(service: Service, bare: Bare) -> Figure:
    """Each its own script; all of them have to be awake at the same moment."""
    slugs = [service.make_script(f"Sleeper {number}", SLEEPER) for number in range(SLEEPERS)]
    bare_s = bare.run_s(bare.script(SLEEPER))
    runs, elapsed_s = asyncio.run(run_all(service, slugs))
    times = [
        [float(line) for line in service.get(f"/runs/{run_id}/log").split()] for run_id in runs
    ]
    last_begin, first_end = max(begin for begin, _ in times), min(end for _, end in times)
    assert last_begin < first_end, (
        f"not all at once: one began {last_begin - first_end:.2f} s after another's end"
    )
    return Figure(
        benchmark="throughput",
        figure=f"{SLEEPERS} scripts that sleep 5 s, all at once",
        value=elapsed_s,
        unit="s",
        baseline="one of them bare",
        baseline_value=bare_s,
        bar=6,
        bar_on="value",
        n=SLEEPERS,
    )


async def run_all(service: Service, slugs: Sequence[str]) -> tuple[list[int], float]:
    """Start scripts from ten clients at once; the ids of the runs, and the seconds until all were told finished."""
    async with socket_to(service, "/ws/events/") as socket:
        watcher = asyncio.create_task(finished_ids(socket, len(slugs)))
        clients = [Client(service) for _ in range(CLIENTS)]
        began = time.monotonic()
        runs = await asyncio.to_thread(start_all, clients, slugs)
        finished = await asyncio.wait_for(watcher, LIMIT_S)
        elapsed_s = time.monotonic() - began
    assert sorted(finished) == sorted(runs), "other runs ended than were started"
    return runs, elapsed_s


def start_all(clients: list[Client], slugs: Sequence[str]) -> list[int]:
    """Share the scripts out among the clients, each of which starts one after the other."""

    def start_share(number: int) -> list[int]:
        return [clients[number].start(slug) for slug in slugs[number :: len(clients)]]

    with ThreadPoolExecutor(len(clients)) as pool:
        return [run_id for share in pool.map(start_share, range(len(clients))) for run_id in share]


async def finished_ids(socket: ClientConnection, count: int) -> set[int]:
    """The ids of the first `count` runs that are told to have succeeded; AssertionError when one failed."""
    found: set[int] = set()
    while len(found) < count:
        run: dict[str, Any] = json.loads(await socket.recv())["run"]
        if run["final"]:
            assert run["exit_code"] == 0, run
            found.add(run["id"])
    return found
