"""What runs add up to: rates, quantiles, streaks."""

import random
import statistics
from datetime import UTC
from typing import Any

import pytest

from runs_app.figures.tally import Tally, tally_of_run, total
from runs_app.models import Run
from runs_app.states import Status
from tests.factories import NOW
from tests.rows import each_row

GOOD, BAD, SKIPPED, CANCELLED = Status.SUCCEEDED, Status.FAILED, Status.SKIPPED, Status.CANCELLED


def of(status: Status = GOOD, **fields: Any) -> Tally:
    """A tally of one run."""
    return tally_of_run(Run(status=status, finished_at=NOW, **fields), UTC)


def streaks(tally: Tally) -> tuple[int, int, int]:
    """The good runs at the end, the most in a row, the bad runs at the end."""
    return tally.good_last, tally.good_longest, tally.bad_last


def test_the_rate_is_of_verdicts_and_unknown_without_any() -> None:
    assert total([of(GOOD)] * 3 + [of(BAD), of(SKIPPED), of(CANCELLED)]).rate == 75
    assert total([of(SKIPPED)]).rate is None


@each_row(
    ("ends", "expected"),
    [
        ([], (0, 0, 0)),
        ([GOOD, GOOD, GOOD], (3, 3, 0)),
        ([GOOD, GOOD, BAD, GOOD], (1, 2, 0)),
        ([GOOD, BAD, BAD], (0, 1, 2)),
        ([GOOD, CANCELLED, GOOD, SKIPPED], (2, 2, 0)),
        ([BAD, GOOD, GOOD, BAD, SKIPPED, BAD], (0, 2, 2)),
    ],
)
def test_streaks_are_the_same_however_the_runs_are_gathered(
    ends: list[Status], expected: tuple[int, int, int]
) -> None:
    runs = [of(status) for status in ends]
    for cut in range(len(runs) + 1):
        assert streaks(total([total(runs[:cut]), total(runs[cut:])])) == expected


def test_quantiles_are_near_the_true_ones_and_the_same_over_many_days() -> None:
    chance = random.Random(1)
    durations = [chance.lognormvariate(3, 1) for _ in range(2000)]
    days = [total(of(duration_s=each) for each in durations[at::7]) for at in range(7)]
    week = total(days)
    assert week.median_s == pytest.approx(statistics.median(durations), rel=0.03)
    assert week.p95_s == pytest.approx(statistics.quantiles(durations, n=20)[-1], rel=0.05)


def test_the_quantiles_of_one_run_are_its_duration() -> None:
    tally = of(duration_s=42.0)
    assert (tally.median_s, tally.p95_s) == (42.0, 42.0)


def test_a_run_that_failed_at_once_says_nothing_of_how_long_one_takes() -> None:
    assert total([of(duration_s=42.0), of(BAD, duration_s=0.1)]).median_s == 42.0


def test_resources_are_the_highest_and_late_starts_are_counted() -> None:
    tally = total(
        [
            of(peak_memory_mb=80.0, cpu_s=2.0, late_ms=10),
            of(BAD, peak_memory_mb=120.0, cpu_s=1.0, late_ms=6000),
            of(SKIPPED, late_ms=9000),
        ]
    )
    assert (tally.memory_max_mb, tally.cpu_s, tally.cpu_max_s) == (120.0, 3.0, 2.0)
    assert (tally.due, tally.late, tally.late_max_ms) == (2, 1, 6000)
