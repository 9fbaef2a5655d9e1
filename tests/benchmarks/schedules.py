"""Many schedules: more than the machine can run, a thousand in the same second, a thousand that are a day away."""

import json
import math
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks import next_moment, procfs
from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.queue import Onlooker, asked, wait_until_quiet
from tests.benchmarks.setting import Bare, Setting, running
from tests.benchmarks.throughput import NO_OP
from tests.service import Service, manage, wait_for

CROWD = 200
CROWD_S = int(os.environ.get("TEMPO_BENCHMARK_SCHEDULES", "60"))
BEHIND = timedelta(seconds=5)  # a moment without a row is lost when it was due so long ago
BARE_RUNS = 50
MANY = 1000
CALM_S = 4.0  # two sweeps
IDLE_S = 25.0
AHEAD_S = 8  # from the choice of a moment to that moment: the service starts in between
CALL = "from tests.benchmarks import ticking; ticking."
SECOND = timedelta(seconds=1)

ALARMS = "SELECT s.id, s.anchor, a.next_run FROM scripts_app_schedule s JOIN django_q_schedule a ON a.id = s.alarm_id"
LEDGER = """
SELECT schedule_id, due_at, coalesce(missed_since, due_at), missed_count
FROM runs_app_run WHERE due_at NOT NULL
"""
ENDS = "SELECT status, reason, late_ms FROM runs_app_run WHERE due_at NOT NULL"
ROWS = """
SELECT r.due_at, s.alarm_id, r.created_at FROM runs_app_run r JOIN scripts_app_schedule s ON s.id = r.schedule_id
WHERE r.due_at NOT NULL ORDER BY r.id
"""


def measure(setting: Setting) -> Iterator[Figure]:
    """The quiet ones first."""
    yield from next_moment.measure()
    yield from many(setting)
    yield from crowd(setting)


# --- a thousand: a day away, and in the same second ------------------------------------------------------------------
def many(setting: Setting) -> Iterator[Figure]:
    """One folder for all: idle without schedules, idle with them, a pass by itself, and a pass of a running service."""
    with running(setting) as service:
        service.run(service.make_script("First", NO_OP))  # its environment is theirs as well
        without, _ = idle(service)
        service.stop()
        manage(service.data, "shell", "-c", f"{CALL}fill({MANY}, {NO_OP!r})")
        service.start()
        yield idling(without, *idle(service))
        service.stop()
        yield alone(service)
        due = math.ceil(time.time()) + AHEAD_S
        manage(service.data, "shell", "-c", f"{CALL}move_to({due})")
        service.start()
        yield within_service(service, due)


def idle(service: Service) -> tuple[float, dict[str, float]]:
    """Percent of a core that all processes take together, and each."""
    time.sleep(CALM_S)
    pids = procfs.tree(service)
    percents = procfs.percents(pids, over_s=IDLE_S)
    return sum(percents.values()), {
        pids[pid]: round(percent, 3) for pid, percent in percents.items()
    }


def idling(without: float, together: float, processes: dict[str, float]) -> Figure:
    """Launcher and web, waiting for tomorrow."""
    return Figure(
        benchmark="schedules",
        figure=f"time on a core over {IDLE_S:.0f} s of idling, {MANY} schedules a day away",
        value=together,
        unit="% of a core",
        baseline="the same service without any schedule",
        baseline_value=without,
        bar=0.3,
        bar_on="value",
        n=len(processes),
        details={"processes": processes},
    )


def alone(service: Service) -> Figure:
    """The ticker's own work, on a copy of the folder, while nothing else goes on."""
    with tempfile.TemporaryDirectory(prefix="tempo-benchmark-") as folder:
        copy = Service.copy_of(service.data, Path(folder) / "data")
        told = json.loads(manage(copy.data, "shell", "-v", "0", "-c", f"{CALL}serve()"))
    assert (told["rows"], told["is_in_order"]) == (MANY, True), told
    return Figure(
        benchmark="schedules",
        figure=f"a pass over {MANY} schedules due in the same second",
        value=told["elapsed_s"],
        unit="s",
        baseline=f"{MANY} rows by SQL alone, a transaction each",
        baseline_value=told["bare_s"],
        bar=0.4,
        bar_on="value",
        n=told["rows"],
        details={"cpu_s": round(told["cpu_s"], 3)},
    )


def within_service(service: Service, due: float) -> Figure:
    """The same pass while the first of its runs begin already; all its rows must be there, in order."""
    wait_for(lambda: len(asked(service, ROWS)) >= MANY, what="a row for each schedule")
    wait_until_quiet(service)
    rows = asked(service, ROWS)
    order = [row[:2] for row in rows]
    moments = {moment(due_at).timestamp() for due_at, _, _ in rows}
    assert moments == {due} and len(rows) == MANY, f"{len(rows)} rows for {moments}"
    assert all(earlier < later for earlier, later in pairwise(order)), "the rows are not in order"
    ends = Counter(status for status, _, _ in asked(service, ENDS))
    assert ends == {"succeeded": MANY}, ends
    return Figure(
        benchmark="schedules",
        figure=f"{MANY} schedules due in the same second of a running service, to the last row",
        value=moment(rows[-1][2]).timestamp() - due,
        unit="s",
        baseline="to the first row",
        baseline_value=moment(rows[0][2]).timestamp() - due,
        bar=0.7,
        bar_on="value",
        n=len(rows),
    )


# --- more than can be run --------------------------------------------------------------------------------------------
def crowd(setting: Setting) -> Iterator[Figure]:
    """Two hundred schedules of a second, spread over it, while somebody looks on; then a pause, and the count."""
    with running(setting) as service:
        bare = Bare.of(service)
        slugs = [service.make_script(f"No-op {number}", NO_OP) for number in range(CROWD)]
        service.run(slugs[0])
        bare_s = sum(bare.run_s("-c", "pass") for _ in range(BARE_RUNS)) / BARE_RUNS
        onlooker = Onlooker(
            service, ["/", "/runs/", "/scripts/", f"/scripts/{slugs[0]}/", "/healthz"]
        )
        onlooker.look()
        onlooker.seconds.clear()
        begin = schedule_all(service, slugs)
        with onlooker:
            time.sleep(begin + CROWD_S - time.time())
            until = moment(service.post("/pause")["since"])
        alarms, ledger = asked(service, ALARMS), asked(service, LEDGER)
        wait_until_quiet(service)
        ends = asked(service, ENDS)
    yield from kept(alarms, ledger, until)
    yield from served(ends, bare_s)
    yield slowest(onlooker, "/healthz", "/healthz")
    yield slowest(onlooker, "page", "/", "/runs/", "/scripts/", f"/scripts/{slugs[0]}/")


def schedule_all(service: Service, slugs: list[str]) -> float:
    """Give each script its schedule and wait for the first moment, which is returned."""
    begin = math.ceil(time.time()) + AHEAD_S
    for number, slug in enumerate(slugs):
        start_at = datetime.fromtimestamp(begin + number / len(slugs), tz=UTC).isoformat()
        service.post(
            f"/scripts/{slug}/schedules", {"kind": "interval", "every_s": 1, "start_at": start_at}
        )
    assert time.time() < begin, "the schedules were not there in time"
    time.sleep(begin - time.time())
    return begin


def kept(alarms: list[Any], ledger: list[Any], until: datetime) -> Iterator[Figure]:
    """Every moment from a schedule's first to the last it served has exactly one row, and that one is not long ago."""
    rows = Counter(
        (schedule, moment(first) + number * SECOND)
        for schedule, _, first, covers in ledger
        for number in range(covers + 1)
    )
    expected = {due for alarm in alarms for due in moments_of(alarm, until)}
    assert len(alarms) == CROWD, f"{len(alarms)} alarms"
    yield count("moments lost", len(expected - rows.keys()), len(expected))
    strange = rows.keys() - expected
    twice = sum(number - 1 for number in rows.values())
    yield count("moments recorded twice or never due", twice + len(strange), len(expected))


def moments_of(alarm: tuple[int, str, str], until: datetime) -> Iterator[tuple[int, datetime]]:
    """What a schedule must have a row for: each moment before the one that its alarm waits for."""
    schedule, anchor, next_run = alarm
    due, end = moment(anchor), max(moment(next_run), until - BEHIND)
    while due < end:
        yield schedule, due
        due += SECOND


def count(name: str, number: int, moments: int) -> Figure:
    """Something that must not happen."""
    return Figure(
        benchmark="schedules",
        figure=f"{CROWD} schedules of 1 s for {CROWD_S} s: {name}",
        value=number,
        unit="moments",
        baseline="moments that were due",
        baseline_value=moments,
        bar=0,
        bar_on="value",
        n=moments,
    )


def served(ends: list[Any], bare_s: float) -> Iterator[Figure]:
    """How many runs there were, how late, and what became of the other moments."""
    fates = Counter(f"{status} {reason}".strip() for status, reason, _ in ends)
    assert fates.keys() <= {"succeeded", "skipped overlap"}, fates
    late_ms = [late for _, _, late in ends if late is not None]
    yield Figure(
        benchmark="schedules",
        figure=f"{CROWD} schedules of 1 s for {CROWD_S} s: runs a second",
        value=fates["succeeded"] / CROWD_S,
        unit="runs/s",
        baseline="bare `python -c pass` in sequence",
        baseline_value=1 / bare_s,
        bar=None,
        bar_on="ratio",
        n=fates["succeeded"],
        details={"rows": dict(fates)},
    )
    for name, value in (("median", median(late_ms)), ("p95", percentile(late_ms, 95))):
        yield Figure(
            benchmark="schedules",
            figure=f"{CROWD} schedules of 1 s for {CROWD_S} s: lateness of the runs, {name}",
            value=value,
            unit="ms",
            baseline="the interval",
            baseline_value=1000,
            bar=None,
            bar_on="ratio",
            n=len(late_ms),
        )


def slowest(onlooker: Onlooker, name: str, *pages: str) -> Figure:
    """The longest that somebody had to wait for an answer."""
    ranked = sorted((seconds, page) for seconds, page in onlooker.seconds if page in pages)
    return Figure(
        benchmark="schedules",
        figure=f"{CROWD} schedules of 1 s for {CROWD_S} s: slowest {name} meanwhile",
        value=ranked[-1][0],
        unit="s",
        baseline="the median of them",
        baseline_value=ranked[len(ranked) // 2][0],
        bar=1,
        bar_on="value",
        n=len(ranked),
        details={"page": ranked[-1][1]},
    )


def moment(text: str) -> datetime:
    """A date of the database or of the API, aware."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
