"""Durations by day as the lines of an SVG: the median and the 95th percentile of the good runs."""

from dataclasses import dataclass
from datetime import date, timedelta

from runs_app.figures.reading import Days
from tempo_site.lib import humanize

WIDTH, HEIGHT = 600, 100  # of the drawing, in units that the page stretches
HEADROOM = 1.08
MIN_DAYS = 2  # one day is no line


@dataclass(frozen=True, kw_only=True)
class DurationChart:
    """The paths of both lines, the highest duration of the scale, and the first and last day."""

    median: str
    p95: str
    highest: str
    first: date
    last: date
    label: str


def duration_chart(by_day: Days, *, first: date, last: date) -> DurationChart | None:
    """Draw the days from `first`, or the first one with a run, to `last`; None where that is no line."""
    points = []
    for day, tally in by_day.items():
        if tally.median_s is not None and tally.p95_s is not None and day >= first:
            points.append((day, tally.median_s, tally.p95_s))
    if len(points) < MIN_DAYS:
        return None
    first = max(first, points[0][0])
    highest = max(p95 for _, _, p95 in points)
    scale = HEIGHT / (highest * HEADROOM or 1)
    step = WIDTH / max((last - first) / timedelta(days=1), 1)
    newest = points[-1]
    return DurationChart(
        median=_path([((day - first).days * step, median * scale) for day, median, _ in points]),
        p95=_path([((day - first).days * step, p95 * scale) for day, _, p95 in points]),
        highest=humanize.span(highest),
        first=first,
        last=last,
        label=f"Durations by day since {first}: on {newest[0]} the median was {humanize.span(newest[1])}, "
        f"19 of 20 runs took {humanize.span(newest[2])} at most",
    )


def _path(points: list[tuple[float, float]]) -> str:
    places = [f"{x:.1f} {HEIGHT - height:.1f}" for x, height in points]
    return "M" + "L".join(places)
