"""What Tempo takes while it idles, after pages were opened and scripts have run: memory, and time on a core."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.benchmarks import procfs
from tests.benchmarks.clients import Browser
from tests.benchmarks.figures import Figure
from tests.benchmarks.setting import FIRST_LINE, Bare, Setting, running
from tests.service import Service

RUNS = 20
PAGE_LOADS = 50
CALM_S = 4.0  # two sweeps: what the last run left is folded away
IDLE_S = 25.0
SLEEPER = "import time; print(flush=True); time.sleep(3600)"


def measure(setting: Setting) -> Iterator[Figure]:
    """Use the service, let it calm down, and look at it while nobody wants anything."""
    with running(setting) as service:
        bare = Bare.of(service)
        use(service)
        time.sleep(CALM_S)
        with sleeping(bare) as sleeper:
            pids = procfs.tree(service)
            percents = procfs.percents((*pids, sleeper), over_s=IDLE_S)
            sizes = {pid: procfs.pss_mb(pid) for pid in (*pids, sleeper)}
            resident_mb = sum(procfs.rss_mb(pid) for pid in pids)
        yield memory(pids, sizes, sleeper, resident_mb)
        yield cpu(pids, percents, sleeper)


def use(service: Service) -> None:
    """Twenty runs and fifty pages."""
    slug = service.make_script("Used", FIRST_LINE)
    runs = [service.run(slug)["id"] for _ in range(RUNS)]
    pages = ["/", "/scripts/", f"/scripts/{slug}/edit/", "/runs/", f"/runs/{runs[-1]}/"]
    browser = Browser(service)
    for number in range(PAGE_LOADS):
        browser.open(pages[number % len(pages)])


@contextmanager
def sleeping(bare: Bare) -> Iterator[int]:
    """The pid of a bare Python that sleeps."""
    with subprocess.Popen(
        [*bare.command, "-c", SLEEPER], env=bare.env, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        process.stdout.readline()
        try:
            yield process.pid
        finally:
            process.kill()


def memory(
    pids: dict[int, str], sizes: dict[int, float], sleeper: int, resident_mb: float
) -> Figure:
    """The sum over all processes; RSS beside it, as PSS falls when another Tempo shares its pages."""
    return Figure(
        benchmark="memory",
        figure=f"PSS of all processes, idle after {PAGE_LOADS} pages and {RUNS} runs",
        value=sum(sizes[pid] for pid in pids),
        unit="MB",
        baseline="a bare Python that sleeps",
        baseline_value=sizes[sleeper],
        bar=80,
        bar_on="value",
        n=len(pids),
        details={
            "processes": {name: round(sizes[pid], 1) for pid, name in pids.items()},
            "rss_of_all": round(resident_mb, 1),
        },
    )


def cpu(pids: dict[int, str], percents: dict[int, float], sleeper: int) -> Figure:
    """The sum over all processes."""
    return Figure(
        benchmark="memory",
        figure=f"time on a core over {IDLE_S:.0f} s of idling",
        value=sum(percents[pid] for pid in pids),
        unit="% of a core",
        baseline="a bare Python that sleeps",
        baseline_value=percents[sleeper],
        bar=0.3,
        bar_on="value",
        n=len(pids),
        details={"processes": {name: round(percents[pid], 3) for pid, name in pids.items()}},
    )
