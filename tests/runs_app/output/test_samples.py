"""Samples of a run: what the runner wrote, and never a crash whatever lies there instead."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from runs_app.history import history
from runs_app.models import Run
from runs_app.output import samples, usage_chart
from runs_app.output.samples import MAX_SAMPLES, Sample
from runs_app.states import Status
from tempo_site.lib import paths
from tests.factories import make_run, make_script

HEAD = "at_ms,cpu_percent,memory_kb,processes,output_bytes\n"
BEGAN = 1_795_000_000_000

pytestmark = pytest.mark.django_db


@pytest.fixture
def run() -> Run:
    """A run whose folder is there."""
    found = make_run(
        make_script(), status=Status.RUNNING, folder="2026-11/1-abcdef12", memory_mb=100
    )
    paths.run_folder(found.folder).mkdir(parents=True)
    return found


@pytest.fixture
def folder(run: Run) -> Path:
    """That folder."""
    return paths.run_folder(run.folder)


def line(second: int, *, cpu: float = 50.0, kb: int = 2048, processes: int = 1) -> str:
    return f"{BEGAN + second * 1000},{cpu:.1f},{kb},{processes},{second * 10}\n"


def write(folder: Path, *lines: str) -> None:
    (folder / "samples.csv").write_text(HEAD + "".join(lines))


def test_a_run_under_way_is_read_from_what_its_runner_writes(run: Run, folder: Path) -> None:
    write(folder, line(0, cpu=12.5), line(1, kb=4096, processes=3))
    assert samples.samples_of_run(run) == [
        Sample(BEGAN, 12.5, 2048, 1, 0),
        Sample(BEGAN + 1000, 50.0, 4096, 3, 10),
    ]


def test_a_torn_last_line_is_left_out(run: Run, folder: Path) -> None:
    write(folder, line(0), line(1)[:-4])
    assert [sample.at_ms for sample in samples.samples_of_run(run)] == [BEGAN]


def test_after_the_fold_they_are_the_same(run: Run, folder: Path) -> None:
    write(folder, line(0), line(1), line(2))
    before = samples.samples_of_run(run)
    Run.objects.filter(pk=run.pk).update(status=Status.SUCCEEDED, finished_at=timezone.now())
    assert history.archive_finished(now=timezone.now()) == 1
    assert not (folder / "samples.csv").exists()
    assert samples.samples_of_run(run) == before


def test_at_most_600_are_kept_and_the_peak_is_among_them(run: Run, folder: Path) -> None:
    write(folder, *(line(second, kb=9999 if second == 777 else 100) for second in range(1199)))
    found = samples.samples_of_run(run)
    assert len(found) == MAX_SAMPLES and max(sample.memory_kb for sample in found) == 9999
    assert [sample.at_ms for sample in found] == sorted(sample.at_ms for sample in found)
    history.archive(run, folder)
    assert len(json.loads((folder / "run.json").read_text())["samples"]) == MAX_SAMPLES


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 5000,
        b"at_ms,cpu_percent,memory_kb,processes,output_bytes",
        b"1,2,3,4\n1,2,3,4,5,6\n-1,2,3,4,5\n1,nan,3,4,5\n1,1e9,3,4,5\n",
        b"9" * 100_000 + b",1,1,1,1\n",
        b"99999999999999,1,1,1,1\n",
        b"\xff\xfe,1,1,1,1\r\n",
    ],
)
def test_a_file_of_nonsense_holds_no_samples(run: Run, folder: Path, content: bytes) -> None:
    (folder / "samples.csv").write_bytes(content)
    assert samples.samples_of_run(run) == []


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[",
        "[" * 100_000,
        "[]",
        "{}",
        '{"samples": 7}',
        '{"samples": [1, null, "x", [], [1, 2], [1, 2, 3, 4, "5"], [1, NaN, 3, 4, 5], [-1, 1, 1, 1, 1]]}',
        '{"samples": [[1e300, 1, 1, 1, 1], [1, 1, 1, 1, true], [10000000000000, 1, 1, 1, 1]]}',
    ],
)
def test_a_folded_file_of_nonsense_holds_no_samples(run: Run, folder: Path, content: str) -> None:
    (folder / "run.json").write_text(content)
    assert samples.samples_of_run(run) == []


def test_what_a_script_may_put_in_its_place_is_not_opened(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text(HEAD + line(0))
    place = folder / "samples.csv"
    place.symlink_to(secret)
    assert samples.samples_of_run(run) == []
    place.unlink()
    os.mkfifo(place)
    assert samples.samples_of_run(run) == []  # and does not wait for a writer
    place.unlink()
    place.mkdir()
    assert samples.samples_of_run(run) == []


def test_a_run_without_a_folder_has_none() -> None:
    assert samples.samples_of_run(make_run(make_script())) == []


# --- API --------------------------------------------------------------------------------------------------------------
def ask(key: str, run: Run) -> Any:
    address = f"/api/v1/runs/{run.pk}/samples"
    return (
        Client(headers={"host": "localhost", "authorization": f"Bearer {key}"}).get(address).json()
    )


def test_the_api_gives_samples_and_the_limit(key: str, run: Run, folder: Path) -> None:
    write(folder, line(0, cpu=12.5, kb=1536, processes=2))
    answer = ask(key, run)
    assert (answer["memory_limit_mb"], answer["status"], answer["next_cursor"]) == (
        100,
        "running",
        None,
    )
    sample = answer["items"][0]
    assert sample.pop("at").endswith("Z")
    assert sample == {"cpu_percent": 12.5, "memory_mb": 1.5, "processes": 2, "output_bytes": 0}


def test_the_api_answers_when_there_is_nothing(key: str) -> None:
    assert ask(key, make_run(make_script()))["items"] == []


# --- chart ------------------------------------------------------------------------------------------------------------
def drawn(*found: Sample, limit_mb: int = 100) -> usage_chart.Chart:
    chart = usage_chart.chart_of_run(Run(memory_mb=limit_mb), found)
    assert chart
    return chart


def sample(second: float, cpu: float = 0.0, mb: int = 0, processes: int = 1) -> Sample:
    return Sample(BEGAN + round(second * 1000), cpu, mb * 1024, processes, 0)


def test_one_sample_is_no_chart() -> None:
    assert (
        usage_chart.chart_of_run(Run(), []) is usage_chart.chart_of_run(Run(), [sample(0)]) is None
    )


def test_a_curve_goes_from_edge_to_edge_and_its_limit_is_a_line() -> None:
    chart = drawn(sample(0), sample(5, mb=50), sample(10, mb=100))
    assert chart.memory.line.startswith("M0 100L300 52.4L600 ")
    # the last sample is at the limit
    assert chart.memory.limit_y == float(chart.memory.line.rpartition(" ")[2])
    assert chart.memory.limit == "100 MB" and chart.spans == "10 s"


def test_without_a_limit_there_is_no_line() -> None:
    assert drawn(sample(0), sample(1, mb=5), limit_mb=0).memory.limit_y is None


def test_what_is_beyond_the_limit_stays_in_the_picture() -> None:
    chart = drawn(sample(0), sample(1, cpu=780, mb=400), limit_mb=100)
    assert all(
        0 <= float(curve.line.rpartition(" ")[2]) <= usage_chart.HEIGHT
        for curve in (chart.cpu, chart.memory)
    )


def test_a_clock_set_back_draws_no_line_backwards() -> None:
    line = drawn(sample(0), sample(60), sample(-3600), sample(5)).cpu.line
    xs = [float(point.split()[0]) for point in line[1:].split("L")]
    assert xs == sorted(xs) and xs[-1] <= usage_chart.WIDTH


def test_the_table_says_the_same_in_some_rows() -> None:
    chart = drawn(*(sample(second, processes=second % 7) for second in range(600)))
    assert len(chart.rows) == usage_chart.TABLE_ROWS and chart.most_processes == 6
