"""A schedule of a second and the database's write lock while retention deletes a tenth of 100,000 runs.

With `--long` there are 1,000,000.
"""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from statistics import median

from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.long_history import service_with_history
from tests.benchmarks.scale import SCRIPTS, many_runs
from tests.benchmarks.setting import Setting
from tests.service import Service

CALM_S = 30.0
LOOK_EVERY_S = 5.0  # a look costs time, too
DELAY_BAR_MS, LOCK_BAR_MS = 100, 50
PROBE_EVERY_S, TRY_EVERY_S = 0.005, 0.001


def measure(setting: Setting) -> Iterator[Figure]:
    runs = many_runs(setting)
    with service_with_history(setting, scripts=SCRIPTS, runs=runs) as service:
        slug = service.make_script("Ticking", "print(1)\n")
        schedule = {"kind": "interval", "every_s": 1, "overlap": "parallel"}
        service.post(f"/scripts/{slug}/schedules", schedule)
        with locked_ms(service) as calm_locks:
            time.sleep(CALM_S)
        calm = lateness_ms(service, slug)
        going = limit_to_a_tenth(service, runs)
        with locked_ms(service) as locks:
            took_s = delete(service)
        late = lateness_ms(service, slug)[len(calm) :]
    yield delay(late, calm, runs=going, took_s=took_s)
    yield lock(locks, calm_locks, runs=going)


def limit_to_a_tenth(service: Service, runs: int) -> int:
    """Set the age beyond which about a tenth of the runs lie; return how many will go."""
    oldest = service.get(f"/runs/{runs // 10}")["created_at"]
    age = datetime.now().astimezone() - datetime.fromisoformat(oldest)
    status, answer = service.call("PUT", "/retention", {"days": age.days})
    assert status == 200, answer
    return int(service.post("/retention/preview")["runs"])


def delete(service: Service) -> float:
    """Delete what is beyond the limits, and return how many seconds that took."""
    began = time.monotonic()
    service.post("/retention/delete-now")
    while service.post("/retention/preview")["runs"]:
        time.sleep(LOOK_EVERY_S)
    return time.monotonic() - began


def lateness_ms(service: Service, slug: str) -> list[int]:
    """How late the runs of a script began, the oldest first."""
    with closing(sqlite3.connect(service.data / "tempo.sqlite3")) as database:
        rows = database.execute(
            "SELECT late_ms FROM runs_app_run JOIN scripts_app_script AS script ON script.id = script_id"
            " WHERE script.slug = ? AND late_ms IS NOT NULL ORDER BY runs_app_run.id",
            [slug],
        )
        return [late_ms for (late_ms,) in rows]


@contextmanager
def locked_ms(service: Service) -> Iterator[list[float]]:
    """How long the write lock was held by others, each time that it was found held."""
    found: list[float] = []
    is_over = threading.Event()

    def look() -> None:
        path: Path = service.data / "tempo.sqlite3"
        with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as database:
            while not is_over.wait(PROBE_EVERY_S):
                began = time.perf_counter()
                if not is_free(database):
                    while not is_free(database):
                        time.sleep(TRY_EVERY_S)
                    found.append(1000 * (time.perf_counter() - began))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield found
    finally:
        is_over.set()
        thread.join()


def is_free(database: sqlite3.Connection) -> bool:
    """Take the write lock for an instant; False when somebody has it."""
    try:
        database.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return False
    database.execute("ROLLBACK")
    return True


def delay(late: list[int], calm: list[int], *, runs: int, took_s: float) -> Figure:
    return Figure(
        benchmark="retention",
        figure=f"latest start of a schedule of a second while {runs:,} runs are deleted",
        value=max(late),
        unit="ms",
        baseline="the same before",
        baseline_value=max(calm),
        bar=DELAY_BAR_MS,
        bar_on="difference",
        n=len(late),
        details={
            "took_s": round(took_s, 1),
            "medians": [median(late), median(calm)],
            "p95": [percentile(late, 95), percentile(calm, 95)],
            "n_before": len(calm),
        },
    )


def lock(locks: list[float], calm: list[float], *, runs: int) -> Figure:
    return Figure(
        benchmark="retention",
        figure=f"longest hold of the write lock while {runs:,} runs are deleted",
        value=max(locks),
        unit="ms",
        baseline="the same before",
        baseline_value=max(calm, default=0.0),
        bar=LOCK_BAR_MS,
        bar_on="value",
        n=len(locks),
        details={
            "median": round(median(locks), 1),
            "p99": round(percentile(locks, 99), 1),
            "times_beyond": sum(each > LOCK_BAR_MS for each in locks),
        },
    )
