"""Environments from the real index: how soon they are usable once lock and wheels are there, and the disk they take."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median

import uv

from tests.benchmarks.figures import Figure
from tests.benchmarks.setting import Setting, running
from tests.service import Service, wait_for

ROUNDS = 3
REQUESTS_BAR_S, PANDAS_BAR_S, SHARED_BAR_S, DISK_BAR = 2.0, 15.0, 0.2, 1.5
SCRIPTS = 20
LIMIT_S = 300.0
MB = 2**20
# Small packages without requirements of their own: beside pandas each makes a lock of its own.
_SMALL = """
attrs certifi chardet click colorama decorator docutils filelock humanize idna iniconfig markupsafe packaging pluggy
pycparser pyparsing pytz tabulate toml zipp
"""
SMALL = _SMALL.split()


def measure(setting: Setting) -> Iterator[Figure]:
    """The first build of each fills uv's cache and is only told of; then the same is built anew."""
    with running(setting) as service:
        for package, bar in (("requests", REQUESTS_BAR_S), ("pandas", PANDAS_BAR_S)):
            yield rebuilt(service, package, bar)
        yield second_script(service)
    with running(setting) as service:
        make(service, "One", "pandas")
        yield disk(
            service,
            [f"pandas>=1.{number}" for number in range(SCRIPTS)],
            "with the same lock",
            DISK_BAR,
        )
        if setting.is_long:
            yield disk(
                service, [f"pandas\n{name}" for name in SMALL], "each with a lock of its own", None
            )


def rebuilt(service: Service, package: str, bar: float) -> Figure:
    """From asking to usable, byte code compiled; beside it, the same steps of uv alone."""
    began = time.monotonic()
    environment = make(service, package, package)
    first_s = time.monotonic() - began
    times = [rebuild_s(service, environment) for _ in range(ROUNDS)]
    return Figure(
        benchmark="environments",
        figure=f"{package}, lock and wheels cached",
        value=median(times),
        unit="s",
        baseline="uv alone: venv, sync, byte code",
        baseline_value=bare_s(service, str(service.get(f"/environments/{environment}")["lock"])),
        bar=bar,
        bar_on="value",
        n=ROUNDS,
        details={"slowest": round(max(times), 2), "first_of_all": round(first_s, 2)},
    )


def make(service: Service, name: str, requirements: str) -> int:
    """Create a script, wait for its environment and return the id of that."""
    slug = service.post("/scripts", {"name": name, "code": "", "requirements": requirements})[
        "slug"
    ]

    def find() -> int | None:
        environment = service.get(f"/scripts/{slug}")["environment"]
        assert environment["state"] != "failed", environment["message"]
        return int(environment["id"]) if environment["state"] == "ready" else None

    return wait_for(find, what=f"the environment of {name}", limit_s=LIMIT_S)


def rebuild_s(service: Service, environment: int) -> float:
    """Seconds that building an environment anew takes, from asking for it to usable."""
    began = time.monotonic()
    service.post(f"/environments/{environment}/rebuild")
    wait_for(
        lambda: service.get(f"/environments/{environment}")["state"] == "ready",
        what="the rebuild",
        limit_s=LIMIT_S,
    )
    return time.monotonic() - began


def bare_s(service: Service, lock: str) -> float:
    """Seconds that uv takes for the same with the same cache."""
    with tempfile.TemporaryDirectory(dir=service.data) as folder:
        place, locked = Path(folder) / "environment", Path(folder) / "lock.txt"
        locked.write_text(lock)
        program, python = uv.find_uv_bin(), str(place / "bin" / "python")
        env = {**os.environ, "UV_CACHE_DIR": str(service.data / "cache" / "uv")}
        began = time.monotonic()
        for step in (
            ("venv", str(place)),
            (
                "pip",
                "sync",
                "--require-hashes",
                "--compile-bytecode",
                "--python",
                python,
                str(locked),
            ),
        ):
            subprocess.run([program, *step], env=env, check=True, capture_output=True)
        return time.monotonic() - began


def second_script(service: Service) -> Figure:
    """A further script with requirements that another one has: from asking to usable."""
    times = []
    for number in range(ROUNDS):
        began = time.monotonic()
        make(service, f"Another {number}", "pandas")
        times.append(time.monotonic() - began)
    return Figure(
        benchmark="environments",
        figure="second script with the same requirements",
        value=median(times),
        unit="s",
        baseline="a script without packages",
        baseline_value=plain_s(service),
        bar=SHARED_BAR_S,
        bar_on="value",
        n=ROUNDS,
        details={"slowest": round(max(times), 3)},
    )


def plain_s(service: Service) -> float:
    """The same for a script that needs nothing."""
    make(service, "Plain", "")
    began = time.monotonic()
    make(service, "Plain too", "")
    return time.monotonic() - began


def disk(service: Service, wishes: Iterable[str], which: str, bar: float | None) -> Figure:
    """The disk of many pandas scripts, uv's cache included, beside that of one."""
    one_mb = taken_mb(service)
    count = 0
    for count, wish in enumerate(wishes, 1):
        make(service, f"{which} {count}", wish)
    return Figure(
        benchmark="environments",
        figure=f"disk of {count} pandas scripts {which}",
        value=taken_mb(service),
        unit="MB",
        baseline="of one, with the cache",
        baseline_value=one_mb,
        bar=bar,
        bar_on="ratio",
        n=count,
    )


def taken_mb(service: Service) -> float:
    """Megabytes that environments and cache take on the disk; what has several names counts once."""
    argv = [
        "du",
        "--summarize",
        "--total",
        "--block-size=1",
        str(service.data / "envs"),
        str(service.data / "cache"),
    ]
    last = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()[-1]
    return int(last.split()[0]) / MB
