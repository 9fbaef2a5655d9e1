"""Pages and lists with 100,000 runs in the history, with `--long` 1,000,000, beside 1,000; then retention deletes a
tenth of them while a schedule starts a run every second. At last what the index of the search adds to a run's end.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from statistics import median, quantiles

from tests.benchmarks import seed
from tests.benchmarks.clients import Browser
from tests.benchmarks.figures import Figure
from tests.benchmarks.pages import asked
from tests.benchmarks.setting import Setting
from tests.service import ROOT, Service, environment

FEW, MANY, MANY_LONG = 1_000, 100_000, 1_000_000
SCRIPTS = 100
SLUG = "nightly-backup"
RATIO_BAR, TIME_BAR_MS, DELAY_BAR_MS = 1.3, 100, 100
ROUNDS = 3
CALM_S = 20.0
SETTLED_RUNS, SETTLE_BAR_MS = 150, 10
TALKING = "for n in range(40):\n    print(n, 'lines of a run that is indexed soon')\n"
LOOK_EVERY_S = 5.0  # a look costs time, too
FILLING = "from tests.benchmarks import scale_filling; scale_filling."
ADDRESSES = {
    "runs": "/runs/",
    "runs of a script": f"/runs/?script={SLUG}",
    "runs, failed": "/runs/?status=failed",
    "runs, any bad end": "/runs/?status=bad",
    "runs, not ended": "/runs/?status=active",
    "runs of a folder": "/runs/?folder=Ops",
    "runs with a tag": "/runs/?tag=backup",
    "runs, failed, of a folder": "/runs/?folder=Ops&status=failed",
    "runs of 7 days": "/runs/?since=7d",
    "runs by a trigger that nothing used": "/runs/?trigger=url",
    "runs that none was as short as": "/runs/?max_s=0",
    "runs up to a day before all": "/runs/?to=2001-01-01",
    "dashboard": "/",
    "scripts": "/scripts/",
    "overview of a script": f"/scripts/{SLUG}/overview/",
    "runs tab of a script": f"/scripts/{SLUG}/runs/",
    "failures": "/failures/",
    "statistics": "/statistics/",
    "retention": "/retention/",
    "API, runs": "/api/v1/runs",
    "API, runs, lost": "/api/v1/runs?status=lost",
    "API, failures": "/api/v1/failures",
    "API, statistics of a script": f"/api/v1/scripts/{SLUG}/statistics",
}


def measure(setting: Setting) -> Iterator[Figure]:
    """Two services beside each other, asked in turn; then retention in the one with the long history."""
    many = MANY_LONG if setting.is_long else MANY
    with tempfile.TemporaryDirectory(prefix="tempo-benchmark-") as folder, ExitStack() as stack:
        services = []
        for runs in (FEW, many):
            service = filled(setting, Path(folder) / str(runs), runs)
            services.append(stack.enter_context(service))
        yield from pages(*services, many_runs=many)
        yield from deleting(services[1], many)
    yield from settling(setting)


def filled(setting: Setting, data: Path, runs: int) -> Service:
    """A data folder with so many runs, all counted, and logs for the tenth that retention will delete."""
    service = Service.copy_of(setting.prepared, data)
    seed.fill(data, scripts=SCRIPTS, runs=FEW)
    worked(data, f"{FILLING}keep_all()")
    worked(data, f"{FILLING}lengthen({runs})")
    worked(data, f"{FILLING}count_all()")
    if runs != FEW:
        worked(data, f"{FILLING}write_logs(1, {runs // 10})")
    return service


def pages(few: Service, many: Service, *, many_runs: int) -> Iterator[Figure]:
    """Server time of each address, the fastest of some rounds in turn, beside the short history."""
    cookies = {service.port: Browser(service).cookie_header() for service in (few, many)}
    for name, path in ADDRESSES.items():
        times: dict[int, list[float]] = {few.port: [], many.port: []}
        for _ in range(ROUNDS):
            for service in (few, many):
                samples_ms, _ = asked(service, path, cookies[service.port])
                times[service.port].append(median(samples_ms))
        value = min(times[many.port])
        yield Figure(
            benchmark="scale",
            figure=f"{name} with {many_runs:,} runs",
            value=value,
            unit="ms",
            baseline=f"with {FEW:,} runs",
            baseline_value=min(times[few.port]),
            bar=RATIO_BAR,
            bar_on="ratio",
            n=ROUNDS,
            details={"within_100_ms": value <= TIME_BAR_MS},
        )


def deleting(service: Service, runs: int) -> Iterator[Figure]:
    """How late a schedule of a second is while retention deletes a tenth of the runs, beside before."""
    slug = service.make_script("Ticking", "print(1)\n")
    schedule = {"kind": "interval", "every_s": 1, "overlap": "parallel"}
    service.post(f"/scripts/{slug}/schedules", schedule)
    time.sleep(CALM_S)
    calm = lateness_ms(service, slug)
    days = oldest_days(service, runs)
    before = service.post("/retention/preview", {"days": days})
    status, answer = service.call("PUT", "/retention", {"days": days})
    assert status == 200, answer
    began = time.monotonic()
    service.post("/retention/delete-now")
    while service.post("/retention/preview")["runs"]:
        time.sleep(LOOK_EVERY_S)
    took_s = time.monotonic() - began
    busy = lateness_ms(service, slug, beyond=len(calm))
    yield Figure(
        benchmark="scale",
        figure=f"latest start of a schedule of a second while {before['runs']:,} runs are deleted",
        value=max(busy),
        unit="ms",
        baseline="the same before",
        baseline_value=max(calm),
        bar=DELAY_BAR_MS,
        bar_on="difference",
        n=len(busy),
        details={"took_s": round(took_s, 1), "median": median(busy), "calm": median(calm)},
    )


def settling(setting: Setting) -> Iterator[Figure]:
    """From the start of a run to its end in the API, in turn with a service that cannot index."""
    times: dict[bool, list[float]] = {True: [], False: []}
    with tempfile.TemporaryDirectory(prefix="tempo-benchmark-") as folder, ExitStack() as stack:
        services = {}
        for is_indexed in times:
            service = Service.copy_of(setting.prepared, Path(folder) / str(is_indexed))
            if not is_indexed:
                # A folder where the index keeps what it covers: it can never begin.
                (service.data / "search" / "coverage.json").mkdir(parents=True)
            services[is_indexed] = stack.enter_context(service)
        slugs = {key: each.make_script("Talking", TALKING) for key, each in services.items()}
        for _ in range(SETTLED_RUNS):
            for is_indexed, service in services.items():
                began = time.monotonic()
                service.run(slugs[is_indexed])
                times[is_indexed].append((time.monotonic() - began) * 1000)
    yield Figure(
        benchmark="scale",
        figure="a run from start to end, p99, while finished ones are indexed",
        value=quantiles(times[True], n=100)[98],
        unit="ms",
        baseline="without the index",
        baseline_value=quantiles(times[False], n=100)[98],
        bar=SETTLE_BAR_MS,
        bar_on="difference",
        n=SETTLED_RUNS,
        details={"median": median(times[True]), "median_without": median(times[False])},
    )


def lateness_ms(service: Service, slug: str, *, beyond: int = 0) -> list[int]:
    """How late the runs of a script began, the oldest first, without the first ones."""
    told = worked(service.data, f"{FILLING}lateness({slug!r})")
    late: list[int] = json.loads(told.splitlines()[-1])
    return late[beyond:]


def worked(data: Path, code: str) -> str:
    """What Python code prints that is run in a process with these data, however long that takes."""
    command = [sys.executable, str(ROOT / "manage.py"), "shell", "-c", code]
    done = subprocess.run(
        command, env=environment(data), stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout


def oldest_days(service: Service, runs: int) -> int:
    """The age in days beyond which a tenth of the runs lie."""
    oldest = service.get(f"/runs/{runs // 10}")["created_at"]
    age = datetime.now().astimezone() - datetime.fromisoformat(oldest)
    return age.days
