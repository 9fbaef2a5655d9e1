"""The benchmarks' own arithmetic: what a figure says, and how a report of imports is read."""

import json

import pytest

from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.imports import weights
from tests.rows import each_row

# What `python -X importtime` writes: self time, cumulative time, then the name, indented as it was nested.
REPORT = """
import time: self [us] | cumulative | imported package
import time:       100 |        100 |   django.conf
import time:       200 |        300 | django
import time:        40 |         40 |     zope.interface
import time:        60 |        100 |   daphne.server
import time:         5 |          5 |   django.urls
import time:        10 |        115 | tempo_site.server
"""


def make_figure(**changes: object) -> Figure:
    """A figure of 30 ms beside 10 ms bare."""
    plain: dict[str, object] = {
        "benchmark": "speed",
        "figure": "a step",
        "value": 30.0,
        "unit": "ms",
        "baseline": "a bare step",
        "baseline_value": 10.0,
        "bar": 20,
        "bar_on": "difference",
        "n": 5,
    }
    return Figure(**{**plain, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("bar_on", "judged"), [("value", 30.0), ("difference", 20.0), ("ratio", 3.0)]
)
def test_the_bar_is_about_the_value_or_what_it_adds_or_how_many_times(
    bar_on: str, judged: float
) -> None:
    assert make_figure(bar_on=bar_on).judged == judged


def test_a_figure_at_its_bar_keeps_it() -> None:
    assert make_figure(bar=20).is_within


def test_a_figure_above_its_bar_says_so() -> None:
    assert json.loads(make_figure(bar=19).as_line())["within"] is False


def test_a_figure_without_a_bar_is_only_told() -> None:
    assert make_figure(bar=None).is_within


def test_a_line_shows_the_baseline_and_the_number_that_is_judged() -> None:
    line = json.loads(make_figure(details={"median": 9}).as_line())
    assert (line["baseline_value"], line["difference"], line["median"]) == (10.0, 20.0, 9)


@each_row(("percent", "sample"), [(50, 50), (95, 95), (99, 99), (100, 100)])
def test_a_percentile_is_one_of_the_samples(percent: float, sample: int) -> None:
    assert percentile(range(100, 0, -1), percent) == sample


def test_a_module_counts_once_for_the_package_that_pulled_it_in_first() -> None:
    assert weights(REPORT) == {"django": 305, "daphne": 100}
