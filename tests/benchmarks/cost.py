"""What a run costs the machine: time on a core, bytes written and syncs of all processes, beside a bare start."""

import json
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.clients import Client
from tests.benchmarks.figures import Figure
from tests.benchmarks.procfs import PROC, tree
from tests.benchmarks.setting import Bare, Setting, running
from tests.service import Service, wait_for

RUNS = 60
WARM_UP = 5
PAUSE_S = 0.15  # between runs: each has the machine for itself
CALM_S = 4.0  # behind the last: the index of outputs, and runners that wait for one run more
SYNCS = ("fsync", "fdatasync", "sync_file_range", "msync", "syncfs")
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What the processes of a service have used since they began, ended children included."""

    cpu_ms: float
    written_kb: float


def measure(setting: Setting) -> Iterator[Figure]:
    """The runs are started through the API, one after the other; the syncs of as many are counted by strace."""
    with running(setting) as service:
        bare = Bare.of(service)
        slug = service.make_script("No-op", "pass")
        start_in_turn(service, slug, WARM_UP)
        spent = spent_by(service, lambda: start_in_turn(service, slug, RUNS))
        bare_ms = bare_cpu_ms(bare)
        yield figure(
            "time on a core of a no-op run, all processes", spent.cpu_ms, "ms", bare_ms, bar=15
        )
        yield figure("written for it", spent.written_kb, "KB", 0, bar=60)
        syncs = counted_syncs(service, lambda: start_in_turn(service, slug, RUNS))
        yield figure("syncs for it", syncs / RUNS, "syncs", 0, bar=4)


def figure(name: str, value: float, unit: str, bare: float, *, bar: float) -> Figure:
    """A figure of one run beside a bare start."""
    return Figure(
        benchmark="cost",
        figure=name,
        value=value,
        unit=unit,
        baseline="a bare start",
        baseline_value=bare,
        bar=bar,
        bar_on="difference",
        n=RUNS,
    )


def start_in_turn(service: Service, slug: str, count: int) -> None:
    """Start runs one after the other, and wait until whatever comes behind the last is done."""
    client = Client(service)
    for _ in range(count):
        last = client.start(slug)
        time.sleep(PAUSE_S)
    service.finished(last)
    time.sleep(CALM_S)
    _, content = client.call("GET", f"/runs?limit={count}")
    assert [run["exit_code"] for run in json.loads(content)["items"]] == [0] * count
    client.close()


def spent_by(service: Service, work: Callable[[], None]) -> Spent:
    """What one of the runs of `work` costs, two questions whether they have ended included."""
    before = used(service)
    work()
    after = used(service)
    return Spent(
        cpu_ms=(after.cpu_ms - before.cpu_ms) / RUNS,
        written_kb=(after.written_kb - before.written_kb) / RUNS,
    )


def used(service: Service) -> Spent:
    """A process that ends is counted by the one that waits for it, so nothing is lost between two readings."""
    cpu_ms = written_kb = 0.0
    for pid in tree(service):
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        cpu_ms += sum(int(ticks) for ticks in fields[11:15]) * TICK_S * 1000
        io = dict(line.split(": ") for line in (PROC / str(pid) / "io").read_text().splitlines())
        written_kb += int(io["write_bytes"]) / 1024
    return Spent(cpu_ms=cpu_ms, written_kb=written_kb)


def bare_cpu_ms(bare: Bare) -> float:
    """Milliseconds on a core of a bare start that does as little."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(RUNS):
        bare.run_s("-c", "pass")
        time.sleep(PAUSE_S)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return spent_s / RUNS * 1000


def counted_syncs(service: Service, work: Callable[[], None]) -> int:
    """How often the processes of the service, and those that they start, ask for a sync during `work`."""
    if not shutil.which("strace"):
        raise LookupError("syncs are counted by strace, which is not installed")
    with tempfile.NamedTemporaryFile(prefix="tempo-syncs-") as told:
        pids = [argument for pid in tree(service) for argument in ("-p", str(pid))]
        command = ["strace", "-f", "-q", "-e", f"trace={','.join(SYNCS)}", "-o", told.name, *pids]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as strace:
            wait_for(lambda: all(is_traced(pid) for pid in tree(service)), what="strace")
            work()
            strace.send_signal(signal.SIGINT)
        lines = Path(told.name).read_text().splitlines()
    return sum(any(f" {name}(" in line for name in SYNCS) for line in lines)


def is_traced(pid: int) -> bool:
    """Whether a tracer is attached to a process."""
    return "TracerPid:\t0\n" not in (PROC / str(pid) / "status").read_text()
