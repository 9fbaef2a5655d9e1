"""A sketch of durations: a count for each step of a scale, so that medians of many days can be told from a few numbers.

A step is 5 % wide, so a quantile is at most 2.5 % off. Sketches are added by adding their counts.
"""

import math
from collections.abc import Iterable

Sketch = dict[str, int]  # by step, as JSON has it

STEP = math.log(1.05)
SHORTEST_S = 0.001


def add(sketch: Sketch, duration_s: float) -> None:
    step = str(round(math.log(max(duration_s, SHORTEST_S)) / STEP))
    sketch[step] = sketch.get(step, 0) + 1


def merged(sketches: Iterable[Sketch]) -> Sketch:
    total: Sketch = {}
    for sketch in sketches:
        for step, count in sketch.items():
            total[step] = total.get(step, 0) + count
    return total


def quantile(sketch: Sketch, share: float) -> float | None:
    """Return the duration in seconds that `share` of all durations do not exceed; None without durations."""
    if not sketch:
        return None
    beyond = share * (sum(sketch.values()) - 1)
    seen = 0
    steps = sorted((int(step), count) for step, count in sketch.items())
    for step, count in steps:
        seen += count
        if seen > beyond:
            return math.exp(step * STEP)
    return math.exp(steps[-1][0] * STEP)
