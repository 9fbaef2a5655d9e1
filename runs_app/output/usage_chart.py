"""The chart of a run: CPU and memory over its time, as curves that a page draws."""

from collections.abc import Sequence
from dataclasses import dataclass

from runs_app.models import Run
from runs_app.output.samples import Sample, thinned
from tempo_site.lib import humanize

WIDTH, HEIGHT = 600, 100  # of the drawing, in units that the page stretches
HEADROOM = 1.05
CORE = 100.0  # per cent of CPU: the least that a chart spans
TABLE_ROWS = 60
MIN_SAMPLES = 2  # one sample is no curve


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One of the two: its words, its line as the path of an SVG, and where its limit lies, if it has one."""

    name: str
    now: str
    most: str
    is_over: bool
    line: str
    limit: str = ""
    limit_y: float | None = None

    @property
    def area(self) -> str:
        """What lies below the line."""
        return f"{self.line}V{HEIGHT}H0Z"

    @property
    def label(self) -> str:
        """The whole of it in a sentence, for whoever does not see it."""
        limit = f", the limit is {self.limit}" if self.limit else ""
        now = "" if self.is_over else f"{self.now} now, "
        return f"{self.name} over time: {now}{self.most} at most{limit}"


@dataclass(frozen=True, kw_only=True)
class ChartRow:
    """A row of the table that says the same in numbers."""

    after: str
    sample: Sample


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Both curves, the time they span, processes, and some of the samples as a table."""

    cpu: Curve
    memory: Curve
    spans: str
    processes: int
    most_processes: int
    rows: list[ChartRow]


def chart_of_run(run: Run, samples: Sequence[Sample]) -> Chart | None:
    """Draw a run's samples; None where there are not enough of them."""
    if len(samples) < MIN_SAMPLES:
        return None
    began = samples[0].at_ms
    return Chart(
        cpu=_cpu(run, samples),
        memory=_memory(run, samples),
        spans=humanize.span(max(0, samples[-1].at_ms - began) / 1000),
        processes=samples[-1].processes,
        most_processes=max(run.processes_max, *(sample.processes for sample in samples)),
        rows=[
            ChartRow(after=humanize.span(max(0, sample.at_ms - began) / 1000), sample=sample)
            for sample in thinned(samples, TABLE_ROWS)
        ],
    )


def _cpu(run: Run, samples: Sequence[Sample]) -> Curve:
    values = [sample.cpu_percent for sample in samples]
    return Curve(
        name="CPU",
        now=f"{values[-1]:.0f} %",
        most=f"{max(values):.0f} %",
        is_over=run.is_final,
        line=_line(samples, values, top=max(CORE, max(values)) * HEADROOM),
    )


def _memory(run: Run, samples: Sequence[Sample]) -> Curve:
    """The peak is measured more often than there are samples, so it may lie above the curve."""
    values, limit_mb = [sample.memory_mb for sample in samples], run.memory_mb
    peak = max(run.peak_memory_mb or 0, *values)
    top = max(limit_mb, *values, 1.0) * HEADROOM
    return Curve(
        name="Memory",
        now=f"{values[-1]:.0f} MB",
        most=f"{peak:.0f} MB",
        is_over=run.is_final,
        line=_line(samples, values, top=top),
        limit=f"{limit_mb} MB" if limit_mb else "",
        limit_y=_y(limit_mb, top) if limit_mb else None,
    )


def _line(samples: Sequence[Sample], values: Sequence[float], *, top: float) -> str:
    """A path from left to right; a clock that was set back draws no line backwards."""
    began, whole = samples[0].at_ms, max(1, samples[-1].at_ms - samples[0].at_ms)
    points, x = [], 0.0
    for sample, value in zip(samples, values, strict=True):
        x = min(float(WIDTH), max(x, round(WIDTH * (sample.at_ms - began) / whole, 1)))
        points.append(f"{x:g} {_y(value, top):g}")
    return "M" + "L".join(points)


def _y(value: float, top: float) -> float:
    return round(HEIGHT - HEIGHT * value / top, 1)
