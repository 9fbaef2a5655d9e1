"""What is promised when somebody sets the clock, by an hour and back: no due moment is lost, none is served twice."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.clients import Browser
from tests.clock import Clock
from tests.service import Service, wait_for

pytestmark = pytest.mark.slow

EVERY = timedelta(minutes=10)
LIMIT_S = 3
HANGING = "import time\nprint('begun', flush=True)\ntime.sleep(600)\n"
NOTED = """
import os
with open("executed.txt", "a") as file:
    file.write(os.environ["TEMPO_RUN_ID"] + "\\n")
"""


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    """The time of the service."""
    return Clock(tmp_path)


@pytest.fixture
def timed(prepared: Path, tmp_path: Path, clock: Clock) -> Iterator[Service]:
    """A Tempo whose clock can be moved."""
    with Service.copy_of(
        prepared, tmp_path / "service", PYSCHED_GRACE="1", **clock.variables
    ) as service:
        yield service


def start_hanging(service: Service, slug: str) -> int:
    """A run that only its time limit ends."""
    run_id = int(service.post(f"/scripts/{slug}/runs")["id"])
    wait_for(lambda: service.get(f"/runs/{run_id}")["status"] == "running", what=f"run {run_id}")
    return run_id


def now_of(service: Service, slug: str) -> datetime:
    """When a new run was born, by the service's clock."""
    return datetime.fromisoformat(service.run(slug)["created_at"])


def has_moved(service: Service, slug: str, since: datetime, hours: int) -> bool:
    """Whether the service sees a time so many hours behind a moment of the test's beginning."""
    return hours <= (now_of(service, slug) - since) / timedelta(hours=1) < hours + 0.5


def runs_of(service: Service, slug: str) -> list[dict[str, Any]]:
    """All runs of a script that a schedule has started, the first due moment first."""
    items = service.get(f"/runs?script={slug}&limit=200")["items"]
    return sorted((run for run in items if run["due_at"]), key=lambda run: str(run["due_at"]))


def check_timed_out(service: Service, run_id: int) -> None:
    """It got its time, neither an hour less nor an hour more."""
    run = service.finished(run_id)
    assert (run["status"], run["reason"]) == ("timed_out", "time")
    assert LIMIT_S <= run["duration_s"] < 600


def test_the_clock_may_be_set_by_an_hour_and_back(timed: Service, clock: Clock) -> None:
    ticking, plain = (
        timed.make_script("Ticking", NOTED),
        timed.make_script("Plain", "print('plain')\n"),
    )
    hanging = timed.make_script("Hanging", HANGING, timeout_s=LIMIT_S)
    rhythm = {
        "kind": "interval",
        "every_s": int(EVERY.total_seconds()),
        "missed": "all",
        "overlap": "parallel",
        "max_parallel": 20,
    }
    first = datetime.fromisoformat(timed.post(f"/scripts/{ticking}/schedules", rhythm)["next_at"])
    browser, web = Browser(timed), timed.web_pid()
    before = now_of(timed, plain)
    for hours in (1, 0, 1):
        run_id = start_hanging(timed, hanging)
        clock.move(hours=hours)
        wait_for(
            partial(has_moved, timed, plain, before, hours), what="the service to see the new time"
        )
        wait_for(
            lambda: len(runs_of(timed, ticking)) >= 6, what="every moment of the hour to be served"
        )
        assert "Log out" in browser.open("/"), "the session goes on"
        check_timed_out(timed, run_id)
        assert timed.is_healthy() and timed.web_pid() == web
    wait_for(
        lambda: all(run["finished_at"] for run in runs_of(timed, ticking)),
        what="the end of all runs",
    )
    runs = runs_of(timed, ticking)
    dues = [datetime.fromisoformat(run["due_at"]) for run in runs]
    assert dues == [first + number * EVERY for number in range(len(runs))], (
        "each due moment has one row"
    )
    executed = (timed.data / "scripts" / ticking / "files" / "executed.txt").read_text().split()
    assert sorted(map(int, executed)) == sorted(run["id"] for run in runs), "each was executed once"
    assert all(run["duration_s"] < 60 for run in runs)


def clock_rows(service: Service, schedule: int) -> list[str]:
    """What the ledger says of a clock that was set back."""
    rows = service.get(f"/schedules/{schedule}/ledger")["items"]
    return [row["message"] for row in rows if row["reason"] == "clock"]


def test_a_clock_that_was_hours_ahead_stops_no_schedule(timed: Service, clock: Clock) -> None:
    hourly = timed.make_script("Hourly", NOTED)
    made = timed.post(f"/scripts/{hourly}/schedules", {"kind": "interval", "every_s": 3600})
    first = datetime.fromisoformat(made["next_at"])

    def next_at() -> datetime:
        found = timed.get(f"/scripts/{hourly}/schedules")["items"][0]["next_at"]
        return datetime.fromisoformat(found)

    clock.move(hours=8)
    wait_for(lambda: next_at() > first + timedelta(hours=7), what="the moments of eight hours")
    clock.move(hours=0)
    wait_for(lambda: clock_rows(timed, made["id"]), what="the row that says so")
    assert next_at() == first
    (message,) = clock_rows(timed, made["id"])
    assert message.startswith("The clock was set back: its next start was ")
