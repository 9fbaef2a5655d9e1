"""What some runs add up to. Tallies of single runs and of days are added in the order in which the runs were born."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from datetime import tzinfo

from runs_app.figures import durations
from runs_app.figures.durations import Sketch
from runs_app.models import Run
from runs_app.states import FINAL, LATE_MS, Status
from tempo_site.lib import humanize

BAD = (Status.FAILED, Status.TIMED_OUT, Status.LOST)
NEVER_RAN = (Status.SKIPPED, Status.MISSED)
VERDICTS = FINAL - frozenset(NEVER_RAN)
MEDIAN, P95 = 0.5, 0.95


@dataclass(kw_only=True)
class Hour:
    """How many runs ended in an hour of the day with a verdict, and how many of them well and badly."""

    ended: int = 0
    good: int = 0
    bad: int = 0

    def add(self, other: "Hour") -> None:
        self.ended += other.ended
        self.good += other.good
        self.bad += other.bad


@dataclass(kw_only=True)
class Tally:
    # Runs by status.
    succeeded: int = 0
    failed: int = 0
    timed_out: int = 0
    cancelled: int = 0
    lost: int = 0
    skipped: int = 0
    missed: int = 0
    # Of the runs that succeeded: sum, bounds and sketch. A run that fails at once says nothing of how long one takes.
    duration_s: float = 0
    duration_min_s: float | None = None
    duration_max_s: float | None = None
    durations: Sketch = field(default_factory=dict)
    # Of all runs: CPU time in sum and at most, memory at most.
    cpu_s: float = 0
    cpu_max_s: float = 0
    memory_max_mb: float = 0
    # Of the runs that a due moment brought about: how many, how many began late, and how late in sum and at most.
    due: int = 0
    late: int = 0
    late_ms: int = 0
    late_max_ms: int = 0
    # By hour of the day, in the server's zone.
    hours: dict[int, Hour] = field(default_factory=dict)
    # Streaks: good runs before the first bad run and behind the last one, the most in a row; bad runs at the end.
    good_first: int = 0
    good_last: int = 0
    good_longest: int = 0
    bad_last: int = 0
    # What is still in the history: retention takes away from these two.
    kept_runs: int = 0
    kept_bytes: int = 0

    @property
    def bad(self) -> int:
        return self.failed + self.timed_out + self.lost

    @property
    def runs(self) -> int:
        """All runs that began: what was skipped or missed is no run."""
        return self.succeeded + self.bad + self.cancelled

    @property
    def rate(self) -> float | None:
        """Good verdicts in per cent; None without a verdict."""
        return rate_of(self.succeeded, self.bad)

    @property
    def median_s(self) -> float | None:
        return self._quantile(MEDIAN)

    @property
    def p95_s(self) -> float | None:
        return self._quantile(P95)

    @property
    def mean_s(self) -> float | None:
        if not self.succeeded:
            return None
        return self.duration_s / self.succeeded

    @property
    def punctuality(self) -> float | None:
        """Due runs that did not begin late, in per cent; None without a due run."""
        return rate_of(self.due - self.late, self.late)

    @property
    def mean_late_ms(self) -> float | None:
        if not self.due:
            return None
        return self.late_ms / self.due

    @property
    def latest(self) -> str:
        return humanize.span(self.late_max_ms / 1000)

    def _quantile(self, share: float) -> float | None:
        found = durations.quantile(self.durations, share)
        if found is None or self.duration_min_s is None or self.duration_max_s is None:
            return None
        return min(max(found, self.duration_min_s), self.duration_max_s)

    def add(self, later: "Tally") -> None:
        """Add what later runs add up to."""
        self._add_streaks(later)
        for name in SUMS:
            setattr(self, name, getattr(self, name) + getattr(later, name))
        for name in MAXIMA:
            setattr(self, name, max(getattr(self, name), getattr(later, name)))
        self.duration_min_s = _bound(min, self.duration_min_s, later.duration_min_s)
        self.duration_max_s = _bound(max, self.duration_max_s, later.duration_max_s)
        self.durations = durations.merged([self.durations, later.durations])
        for hour, counts in later.hours.items():
            self.hours.setdefault(hour, Hour()).add(counts)

    def _add_streaks(self, later: "Tally") -> None:
        # Before the counts: they tell whether there was a bad run, or a good one, at all.
        across = self.good_last + later.good_first
        self.good_longest = max(self.good_longest, later.good_longest, across)
        if not self.bad:
            self.good_first = across
        self.good_last = later.good_last if later.bad else across
        self.bad_last = later.bad_last if later.succeeded else self.bad_last + later.bad_last


SUMS = (
    *(status.value for status in FINAL),
    *("duration_s", "cpu_s", "due", "late", "late_ms", "kept_runs", "kept_bytes"),
)
MAXIMA = ("cpu_max_s", "memory_max_mb", "late_max_ms")
COLUMNS = tuple(each.name for each in fields(Tally))


def rate_of(good: int, bad: int) -> float | None:
    if not good + bad:
        return None
    return 100 * good / (good + bad)


def tally_of_run(run: Run, zone: tzinfo) -> Tally:
    is_good, is_bad = run.status == Status.SUCCEEDED, run.status in BAD
    tally = Tally(kept_runs=1, kept_bytes=run.log_bytes)
    setattr(tally, run.status, 1)
    tally.good_first = tally.good_last = tally.good_longest = int(is_good)
    tally.bad_last = int(is_bad)
    if run.status in VERDICTS and run.finished_at:
        hour = run.finished_at.astimezone(zone).hour
        tally.hours[hour] = Hour(ended=1, good=int(is_good), bad=int(is_bad))
    if is_good and run.duration_s is not None:
        tally.duration_s = tally.duration_min_s = tally.duration_max_s = run.duration_s
        durations.add(tally.durations, run.duration_s)
    tally.cpu_s = tally.cpu_max_s = run.cpu_s or 0
    tally.memory_max_mb = run.peak_memory_mb or 0
    if run.late_ms is not None and run.status in VERDICTS:
        tally.due, tally.late = 1, int(run.late_ms > LATE_MS)
        tally.late_ms = tally.late_max_ms = run.late_ms
    return tally


def total(tallies: Iterable[Tally]) -> Tally:
    """Add tallies up, the oldest first."""
    result = Tally()
    for tally in tallies:
        result.add(tally)
    return result


def _bound(
    choose: Callable[[float, float], float], one: float | None, other: float | None
) -> float | None:
    if one is None or other is None:
        return other if one is None else one
    return choose(one, other)
