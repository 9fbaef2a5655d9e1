"""How long a printed line takes to a viewer's WebSocket, beside a bare pipe."""

import asyncio
import subprocess
import time
from collections.abc import Iterator
from statistics import median

from tests.benchmarks.clients import output_frames, socket_to
from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.setting import Bare, Setting, running
from tests.service import Service

LINES = 300
PRINTER = f"""
import pathlib, time
while not pathlib.Path("gate").exists():  # the viewer is there before the first line
    time.sleep(0.01)
for _ in range({LINES}):
    print(time.time(), flush=True)
    time.sleep(0.015)
"""


def measure(setting: Setting) -> Iterator[Figure]:
    """A script prints the time; the viewer compares it with its own clock, which is the same one."""
    with running(setting) as service:
        bare_ms = through_pipe_ms(Bare.of(service))
        slug = service.make_script("Printer", PRINTER)
        line_ms = asyncio.run(through_socket_ms(service, slug))
    assert len(line_ms) == LINES, f"{len(line_ms)} lines of {LINES}"
    yield figure("median", median(line_ms), median(bare_ms), bar=5)
    yield figure("p99", percentile(line_ms, 99), percentile(bare_ms, 99), bar=30)


async def through_socket_ms(service: Service, slug: str) -> list[float]:
    """Follow a run to its end; the age of each line when it came."""
    run_id = (await asyncio.to_thread(service.post, f"/scripts/{slug}/runs"))["id"]
    ages = []
    async with socket_to(service, f"/ws/runs/{run_id}/") as socket:
        (service.data / "scripts" / slug / "files" / "gate").touch()
        async for _, records in output_frames(socket):
            came = time.time()
            ages += [
                (came - float(record.split(" ", 3)[3])) * 1000 for record in records.splitlines()
            ]
    return ages


def through_pipe_ms(bare: Bare) -> list[float]:
    """The same script bare, its output read from a pipe."""
    command = [*bare.command, bare.script(PRINTER)]
    (bare.folder / "gate").touch()
    with subprocess.Popen(
        command, env=bare.env, cwd=bare.folder, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        return [(time.time() - float(line)) * 1000 for line in process.stdout]


def figure(name: str, value: float, bare_ms: float, *, bar: float) -> Figure:
    """An age of lines."""
    return Figure(
        benchmark="live_output",
        figure=f"printed line to WebSocket message, {name}",
        value=value,
        unit="ms",
        baseline=f"printed line to the reader of a bare pipe, {name}",
        baseline_value=bare_ms,
        bar=bar,
        bar_on="value",
        n=LINES,
    )
