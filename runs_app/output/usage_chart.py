"""The chart of a run: CPU and memory over its time, as curves that a page draws."""

from collections.abc import Sequence
from dataclasses import dataclass

from runs_app.models import Run
from runs_app.output.samples import Sample, thinned
from tempo_site.lib import humanize

WIDTH, HEIGHT = 600, 100  # of the drawing, in units that the page stretches
HEADROOM = 1.05
CORE_PERCENT = 100.0  # the smallest span of CPU in a chart
TABLE_ROWS = 60
MIN_SAMPLES = 2  # one sample is no curve


@dataclass(frozen=True, kw_only=True)
class Curve:
    """CPU or memory: its words, its line as the path of an SVG, and where its limit lies, if there is a limit."""

    name: str
    now: str
    most: str
    is_over: bool
    line: str
    limit: str = ""
    limit_y: float | None = None

    @property
    def area(self) -> str:
        return f"{self.line}V{HEIGHT}H0Z"

    @property
    def label(self) -> str:
        sentence = f"{self.name} over time: "
        if not self.is_over:
            sentence += f"{self.now} now, "
        sentence += f"{self.most} at most"
        if self.limit:
            sentence += f", the limit is {self.limit}"
        return sentence


@dataclass(frozen=True, kw_only=True)
class ChartRow:
    after: str
    sample: Sample


@dataclass(frozen=True, kw_only=True)
class Chart:
    cpu: Curve
    memory: Curve
    spans: str
    processes: int
    most_processes: int
    rows: list[ChartRow]


def chart_of_run(run: Run, samples: Sequence[Sample]) -> Chart | None:
    """Draw a run's samples; return None where there are too few samples for a curve."""
    if len(samples) < MIN_SAMPLES:
        return None
    began_ms = samples[0].at_ms
    rows = []
    for sample in thinned(samples, TABLE_ROWS):
        rows.append(ChartRow(after=_span(began_ms, sample.at_ms), sample=sample))
    return Chart(
        cpu=_cpu(run, samples),
        memory=_memory(run, samples),
        spans=_span(began_ms, samples[-1].at_ms),
        processes=samples[-1].processes,
        most_processes=max(run.processes_max, *(sample.processes for sample in samples)),
        rows=rows,
    )


def _span(began_ms: int, at_ms: int) -> str:
    return humanize.span(max(0, at_ms - began_ms) / 1000)


def _cpu(run: Run, samples: Sequence[Sample]) -> Curve:
    values = [sample.cpu_percent for sample in samples]
    return Curve(
        name="CPU",
        now=f"{values[-1]:.0f} %",
        most=f"{max(values):.0f} %",
        is_over=run.is_final,
        line=_line(samples, values, top=max(CORE_PERCENT, *values) * HEADROOM),
    )


def _memory(run: Run, samples: Sequence[Sample]) -> Curve:
    values = [sample.memory_mb for sample in samples]
    limit_mb = run.memory_mb
    # A run that is over has one peak, measured more often than there are samples: it may lie above the curve.
    most = run.peak_memory or f"{max(values):.0f} MB"
    top = max(limit_mb, *values, 1.0) * HEADROOM
    return Curve(
        name="Memory",
        now=f"{values[-1]:.0f} MB",
        most=most,
        is_over=run.is_final,
        line=_line(samples, values, top=top),
        limit=f"{limit_mb} MB" if limit_mb else "",
        limit_y=_y(limit_mb, top) if limit_mb else None,
    )


def _line(samples: Sequence[Sample], values: Sequence[float], *, top: float) -> str:
    # From left to right; a clock that was set back draws no line backwards.
    began_ms = samples[0].at_ms
    whole_ms = max(1, samples[-1].at_ms - began_ms)
    points = []
    x = 0.0
    for sample, value in zip(samples, values, strict=True):
        place = round(WIDTH * (sample.at_ms - began_ms) / whole_ms, 1)
        x = min(float(WIDTH), max(x, place))
        points.append(f"{x:g} {_y(value, top):g}")
    return "M" + "L".join(points)


def _y(value: float, top: float) -> float:
    return round(HEIGHT - HEIGHT * value / top, 1)
