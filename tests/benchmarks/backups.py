"""A backup of 100,000 runs with the logs of a tenth of them, and what calls and schedules wait for meanwhile.

With `--long` there are 1,000,000.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Literal

from tests.benchmarks import lateness
from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.long_history import service_with_history
from tests.benchmarks.scale import SCRIPTS, many_runs
from tests.benchmarks.setting import FIRST_LINE, Setting
from tests.service import Service, wait_for

ROUNDS = 3
CALM_S = 30.0
LIMIT_S = 600.0
BACKUP_BAR_S, RATIO_BAR, DELAY_BAR_MS = 60, 1.2, 20
EVERY_SECOND = {"kind": "interval", "every_s": 1, "overlap": "parallel"}


def measure(setting: Setting) -> Iterator[Figure]:
    """Calm times and backups in turn, on the same service."""
    runs = many_runs(setting)
    with service_with_history(setting, scripts=SCRIPTS, runs=runs) as service:
        slug = service.make_script("Ticking", FIRST_LINE)
        service.post(f"/scripts/{slug}/schedules", EVERY_SECOND)
        wait_for(lambda: lateness.runs_of(service, slug), what="the first run")
        calm, busy = Phases(service, slug), Phases(service, slug)
        took_s: list[float] = []
        for _ in range(ROUNDS):
            calm.pass_by(CALM_S)
            took_s.append(busy.make_backup())
        (newest, *_others) = service.get("/backups")["items"]
        yield duration(took_s, runs, newest["bytes"])
        yield answers(busy, calm)
        yield delays(busy, calm)


class Phases:
    """Times of one kind: what the clients that polled meanwhile waited, and how late the schedule was."""

    def __init__(self, service: Service, slug: str) -> None:
        self.service, self.slug = service, slug
        self.answers_ms: list[float] = []
        self.late_ms: list[int] = []

    def pass_by(self, seconds: float) -> None:
        first = self._newest_run()
        with lateness.polling(self.service) as answers_ms:
            time.sleep(seconds)
        self._note(answers_ms, first)

    def make_backup(self) -> float:
        """Make a backup with logs; return how many seconds it took."""
        first = self._newest_run()
        with lateness.polling(self.service) as answers_ms:
            run = self.service.post("/backups", {"logs": True})
            ended = self.service.finished(run["id"], limit_s=LIMIT_S)
        assert ended["status"] == "succeeded", ended
        self._note(answers_ms, first)
        return float(ended["duration_s"])

    def _newest_run(self) -> int:
        return int(self.service.get(f"/runs?script={self.slug}&limit=1")["items"][0]["id"])

    def _note(self, answers_ms: list[float], first: int) -> None:
        self.answers_ms += answers_ms
        runs = lateness.runs_of(self.service, self.slug)
        begun = [run for run in runs if run["id"] > first and run["late_ms"] is not None]
        self.late_ms += [int(run["late_ms"]) for run in begun]


def duration(took_s: list[float], runs: int, size: int) -> Figure:
    return Figure(
        benchmark="backups",
        figure=f"a backup of {runs:,} runs with the logs of a tenth, read back",
        value=min(took_s),
        unit="s",
        baseline="the slowest of the rounds",
        baseline_value=max(took_s),
        bar=BACKUP_BAR_S,
        bar_on="value",
        n=len(took_s),
        details={"megabytes": round(size / 2**20, 1)},
    )


def answers(busy: Phases, calm: Phases) -> Figure:
    return beside_calm(
        "the list of runs while a backup is made",
        busy.answers_ms,
        calm.answers_ms,
        percent=95,
        bar=RATIO_BAR,
        bar_on="ratio",
    )


def delays(busy: Phases, calm: Phases) -> Figure:
    return beside_calm(
        "how late a schedule of a second is while a backup is made",
        busy.late_ms,
        calm.late_ms,
        percent=99,
        bar=DELAY_BAR_MS,
        bar_on="difference",
    )


def beside_calm(
    figure: str,
    busy_ms: Sequence[float],
    calm_ms: Sequence[float],
    *,
    percent: int,
    bar: float,
    bar_on: Literal["difference", "ratio"],
) -> Figure:
    return Figure(
        benchmark="backups",
        figure=f"{figure}, p{percent}",
        value=percentile(busy_ms, percent),
        unit="ms",
        baseline="the same before",
        baseline_value=percentile(calm_ms, percent),
        bar=bar,
        bar_on=bar_on,
        n=len(busy_ms),
        details={"median": percentile(busy_ms, 50), "calm": percentile(calm_ms, 50)},
    )
