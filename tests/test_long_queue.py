"""A long queue: all of it runs, once, in its order; who is cancelled in it does not."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.clients import Client
from tests.service import Service, manage, wait_for

pytestmark = pytest.mark.slow

RUNS = 150
PLACES = 4
CANCELLED = (7, 70, 140)
GATED = """
import pathlib, time
while not pathlib.Path("gate").exists():
    time.sleep(0.02)
"""
NOTED = """
import os
file = os.open("executed", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
os.write(file, os.environ["TEMPO_RUN_ID"].encode() + b" ")
"""


@pytest.fixture
def narrow(prepared: Path, tmp_path: Path) -> Iterator[Service]:
    """A Tempo with few places."""
    with Service.copy_of(
        prepared, tmp_path / "service", PYSCHED_MAX_CONCURRENT_RUNS=str(PLACES)
    ) as running:
        yield running


def rows(service: Service, query: str) -> list[Any]:
    """The first column of what the database answers."""
    with contextlib.closing(
        sqlite3.connect(service.data / "tempo.sqlite3", timeout=20)
    ) as database:
        return [row[0] for row in database.execute(query)]


def test_a_long_queue_runs_in_its_order_each_run_once(narrow: Service) -> None:
    blocking, noted = narrow.make_script("Blocking", GATED), narrow.make_script("Noted", NOTED)
    for _ in range(PLACES):
        narrow.post(f"/scripts/{blocking}/runs")
    client = Client(narrow)
    runs = [client.start(noted) for _ in range(RUNS)]
    queue = narrow.all_of("/queue?limit=60")
    assert [(item["position"], item["run"]) for item in queue] == list(enumerate(runs, 1))
    assert {item["waits_for"] for item in queue} == {
        f"It waits for a free place: {PLACES} of {PLACES} are taken."
    }
    assert (
        len(manage(narrow.data, "queue", PYSCHED_MAX_CONCURRENT_RUNS=str(PLACES)).splitlines())
        == RUNS + 1
    )
    cancelled = [runs[number] for number in CANCELLED]
    for run_id in cancelled:
        assert narrow.post(f"/runs/{run_id}/cancel")["status"] == "cancelled"
    files = narrow.data / "scripts"
    (files / blocking / "files" / "gate").touch()
    open_ones = (
        "SELECT count(*) FROM runs_app_run WHERE status IN ('queued', 'starting', 'running')"
    )
    wait_for(lambda: rows(narrow, open_ones) == [0], what="the end of all runs")
    rest = [run_id for run_id in runs if run_id not in cancelled]
    assert sorted(map(int, (files / noted / "files" / "executed").read_text().split())) == rest
    begun = "SELECT id FROM runs_app_run WHERE handed_over_at IS NOT NULL AND id >= {} ORDER BY handed_over_at, id"
    assert rows(narrow, begun.format(runs[0])) == rest, "they began in the order of the queue"
    ended = f"SELECT DISTINCT status FROM runs_app_run WHERE id >= {runs[0]} ORDER BY status"
    assert rows(narrow, ended) == ["cancelled", "succeeded"]
