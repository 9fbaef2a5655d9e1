"""The arithmetic of two builds beside each other, and how the benchmarks are lent to a checkout."""

import subprocess
import sys
from pathlib import Path

from tests.benchmarks import comparison


def line(figure: str, value: float) -> comparison.Line:
    """What a benchmark prints of a figure."""
    return {"benchmark": "speed", "figure": figure, "value": value, "unit": "ms"}


def test_a_figure_is_the_median_of_its_rounds_beside_the_bases() -> None:
    before = [[line("a step", value)] for value in (40.0, 20.0, 90.0)]
    after = [[line("a step", value)] for value in (10.0, 30.0, 11.0)]
    assert comparison.compared(before, after) == [
        {
            "benchmark": "speed",
            "figure": "a step",
            "value": 11.0,
            "base_value": 40.0,
            "ratio": 0.275,
            "n": 3,
            "n_base": 3,
        }
    ]


def test_what_one_build_alone_measures_has_no_ratio() -> None:
    lines = comparison.compared([[line("old", 1.0)]], [[line("new", 2.0)]])
    assert [(each["figure"], each["value"], each["base_value"]) for each in lines] == [
        ("new", 2.0, None),
        ("old", None, 1.0),
    ]
    assert [each["ratio"] for each in lines] == [None, None]


def test_nothing_is_so_many_times_nothing() -> None:
    (found,) = comparison.compared([[line("lost", 0.0)]], [[line("lost", 0.0)]])
    assert (found["value"], found["base_value"], found["ratio"]) == (0.0, 0.0, None)


def test_an_error_counts_as_not_measured() -> None:
    failed = [{"benchmark": "speed", "error": "OSError: away"}]
    (found,) = comparison.compared([failed], [failed])
    assert (found["figure"], found["value"], found["n"]) == ("error", None, 0)


def test_the_benchmarks_of_this_checkout_measure_the_code_of_the_other(tmp_path: Path) -> None:
    base, folder = tmp_path / "base", tmp_path / "lent"
    (base / "tests").mkdir(parents=True)
    folder.mkdir()
    (base / "manage.py").write_text("print(__import__('sys').path[0])")
    comparison.lend_benchmarks(base, folder)
    root = "from tests.service import ROOT; print(ROOT)"
    asked = [
        subprocess.check_output([sys.executable, *argv], cwd=folder, text=True).strip()
        for argv in (["-c", root], ["manage.py"])
    ]
    assert asked == [str(folder), str(base)]
