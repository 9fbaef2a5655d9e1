"""A figure: what was measured, beside what was measured bare in the same run, and whether it keeps its bar."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the report.

    `bar` is the most that the value, its difference or its ratio to the baseline may be; None: it is only told.
    """

    benchmark: str
    figure: str
    value: float
    unit: str
    baseline: str
    baseline_value: float
    bar: float | None
    bar_on: Literal["value", "difference", "ratio"]
    n: int
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def judged(self) -> float:
        """The number that the bar is about."""
        if self.bar_on == "difference":
            return self.value - self.baseline_value
        return self.value / self.baseline_value if self.bar_on == "ratio" else self.value

    @property
    def is_within(self) -> bool:
        """Whether the bar is kept; a figure without one keeps it."""
        return self.bar is None or self.judged <= self.bar

    def as_line(self) -> str:
        """The figure as one line of JSON."""
        content: dict[str, Any] = {
            "benchmark": self.benchmark,
            "figure": self.figure,
            "value": rounded(self.value),
            "unit": self.unit,
            "baseline": self.baseline,
            "baseline_value": rounded(self.baseline_value),
            **({} if self.bar_on == "value" else {self.bar_on: rounded(self.judged)}),
            "bar": self.bar,
            "bar_on": self.bar_on,
            "within": self.is_within,
            "n": self.n,
            **self.details,
        }
        return json.dumps(content)


def percentile(samples: Sequence[float], percent: float) -> float:
    """The smallest sample that at least `percent` of all samples do not exceed."""
    ranked = sorted(samples)
    return ranked[max(0, math.ceil(len(ranked) * percent / 100) - 1)]


def rounded(value: float) -> float:
    """Four digits that mean something."""
    return float(f"{value:.4g}")
