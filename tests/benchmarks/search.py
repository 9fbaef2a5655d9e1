"""The search over many logs, beside `grep -r` over the same files: 10,000 runs with 100 MB, with `--long` ten times as
many, and a million runs of a few lines.
"""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.figures import Figure
from tests.benchmarks.long_history import service_with_logs, worked
from tests.benchmarks.setting import Setting
from tests.service import Service

RUNS, RUNS_LONG, LINES = 10_000, 100_000, 100
SMALL_RUNS, SMALL_LINES = 1_000_000, 4
INDEX = "from tests.benchmarks import search_filling; search_filling.index()"
WORD, RARE = "connection", "QX-51c7e9"
ROUNDS = 5
WORD_BAR_MS, RARE_BAR_MS, GREP_BAR = 100, 300, 20


def measure(setting: Setting) -> Iterator[Figure]:
    if not setting.is_long:
        yield from searching(setting, runs=RUNS, lines=LINES, word_bar_ms=WORD_BAR_MS)
        return
    yield from searching(setting, runs=RUNS_LONG, lines=LINES, word_bar_ms=WORD_BAR_MS)
    yield from searching(setting, runs=SMALL_RUNS, lines=SMALL_LINES, word_bar_ms=RARE_BAR_MS)


def searching(setting: Setting, *, runs: int, lines: int, word_bar_ms: int) -> Iterator[Figure]:
    """Fill, index, ask."""
    with service_with_logs(setting, runs=runs, lines=lines) as service:
        raw = sum(path.stat().st_size for path in (service.data / "runs").rglob("output.log"))
        told = json.loads(worked(service.data, INDEX))
        yield from index_figures(service.data, raw, told)
        with service:
            yield asked(service, WORD, bar_ms=word_bar_ms, runs=runs)
            yield asked(service, RARE, bar_ms=RARE_BAR_MS, runs=runs)


def index_figures(data: Path, raw: int, told: dict[str, Any]) -> Iterator[Figure]:
    """How large the index is, and what it took."""
    size = sum(path.stat().st_size for path in (data / "search").iterdir())
    yield Figure(
        benchmark="search",
        figure="size of the index",
        value=size / 2**20,
        unit="MB",
        baseline="the logs",
        baseline_value=raw / 2**20,
        bar=0.3,
        bar_on="ratio",
        n=1,
        details={"cpu_s": told["cpu_s"], "mb_per_cpu_s": round(raw / 2**20 / told["cpu_s"], 1)},
    )


def asked(service: Service, text: str, *, bar_ms: float, runs: int) -> Figure:
    """The first page of a search, in turns with grep, whose fastest round counts."""
    service.get(f"/search?q={text}")
    searched, grepped = [], []
    command = ["grep", "-ril", text, str(service.data / "runs")]
    for _ in range(ROUNDS):
        searched.append(milliseconds(lambda: service.get(f"/search?q={text}")))
        grepped.append(milliseconds(lambda: subprocess.run(command, capture_output=True)))
    answer = service.get(f"/search?q={text}")
    assert answer["items"] and answer["indexed_percent"] == 100, answer
    return Figure(
        benchmark="search",
        figure=f"first page for `{text}` in {runs} runs",
        value=median(searched),
        unit="ms",
        baseline="grep -ril over the same logs",
        baseline_value=min(grepped),
        bar=bar_ms,
        bar_on="value",
        n=ROUNDS,
        details={
            "fastest": round(min(searched), 1),
            "times_faster_than_grep": round(min(grepped) / median(searched), 1),
            "within_a_twentieth_of_grep": median(searched) * GREP_BAR <= min(grepped),
        },
    )


def milliseconds(act: Callable[[], object]) -> float:
    began = time.monotonic()
    act()
    return (time.monotonic() - began) * 1000
