"""What limits and layers cost a run, and how closely they hold: a launcher by itself, beside bare Python."""

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks import procfs
from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.setting import Setting
from tests.runs_app.launcher.harness import LauncherHarness, is_gone, joined, wait_for

PYTHON = "/usr/bin/python3"  # one that a user of a script's own may start
ENV = {"PATH": "/usr/bin:/bin", "PYTHONUNBUFFERED": "1", "LANG": "C.UTF-8"}
LIMITS = {
    "memory_mb": 512,
    "processes": 64,
    "output_bytes": 10 << 20,
    "output_kill_bytes": 1 << 30,
    "file_mb": 2048,
    "open_files": 1024,
    "nice": 0,  # bare Python is not nice either
    "min_free_mb": 1,
}
LINES = "for number in range(100_000): print(number, 'a line such as programs write them in a loop of theirs')"
SLEEPER = (
    "import time, json, asyncio\nkept = bytes(20 << 20)\nprint('on')\nwhile True: time.sleep(1)"
)
GROWING = """
import mmap, time
kept = mmap.mmap(-1, 4 << 30)
began = time.monotonic()
for done in range(4000):
    kept.write(b"x" * (1 << 20))
    time.sleep(max(0.0, began + (done + 1) / 100 - time.monotonic()))
"""
DEAF = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for _ in range(5):
    if os.fork() == 0:
        os.setsid()
        break
os.write(1, b"%d\\n" % os.getpid())
time.sleep(60)
"""
TURNS, LINES_TURNS, SHORT_TURNS, TOGETHER, WATCHED_S = 40, 5, 5, 20, 10.0


def measure(_setting: Setting) -> Iterator[Figure]:
    """Take turns with bare Python where there is something to compare with."""
    with launcher() as place:
        yield from wall_time(place, "no-op", "pass", turns=TURNS, bar=1.5)
        yield from wall_time(place, "100,000 lines", LINES, turns=LINES_TURNS, bar=1.3)
        yield from together(place)
        yield overshoot(place)
        yield last_breath(place)


class Place:
    """A launcher with a script's folder that a user of its own can reach."""

    def __init__(self, harness: LauncherHarness, files: Path) -> None:
        self.harness = harness
        self._files = files

    def start(self, code: str, **limits: Any) -> str:
        """Start code with everything on; its folder."""
        isolation = {
            "uid": 50007,
            "read": ["/usr"],
            "write": [str(self._files)],
            "closed": [str(self.harness.data)],
            "require": "",
        }
        timing = {name: limits.pop(name) for name in ("timeout_s", "grace_s") if name in limits}
        folder = self.harness.new_folder(
            [PYTHON, "-c", code],
            env=ENV,
            cwd=str(self._files),
            isolation=isolation,
            limits=LIMITS | limits,
            **timing,
        )
        self.harness.path(folder).chmod(0o711)
        reply = self.harness.web.ask("start", folder=folder)
        assert reply["ok"], reply
        return folder

    def run_s(self, code: str) -> tuple[float, dict[str, Any]]:
        """Seconds from the order to the verdict, and the verdict."""
        began = time.monotonic()
        folder = self.start(code)
        verdict = self.harness.path(folder) / "exit.json"
        while not verdict.exists():
            time.sleep(0.0005)
        elapsed_s = time.monotonic() - began
        told = self.harness.exit_of(folder)
        assert told["status"] == "succeeded", told
        return elapsed_s, told


@contextmanager
def launcher() -> Iterator[Place]:
    """A launcher on a folder that other users may pass through."""
    with tempfile.TemporaryDirectory(prefix="tempo-supervision-") as folder:
        data = Path(folder) / "data"
        files = data / "scripts" / "measured" / "files"
        for path in (files, data / "runs" / "2026-11"):
            path.mkdir(parents=True)
        for path in (
            Path(folder),
            data,
            *data.glob("*"),
            data / "scripts" / "measured",
            data / "runs" / "2026-11",
        ):
            path.chmod(0o711)
        with LauncherHarness(data) as harness:
            yield Place(harness, files)


def bare_s(code: str) -> float:
    """Seconds that the same takes without Tempo, output into a file."""
    with tempfile.TemporaryFile() as log:
        began = time.monotonic()
        status = subprocess.call([PYTHON, "-c", code], env=ENV, stdout=log, stderr=log)
        elapsed_s = time.monotonic() - began
    assert status == 0
    return elapsed_s


def wall_time(place: Place, name: str, code: str, *, turns: int, bar: float) -> Iterator[Figure]:
    """How long it runs, and how long it takes from the order to the verdict, beside bare Python."""
    pairs = [(bare_s(code), *place.run_s(code)) for _ in range(turns + 1)][1:]
    bare, whole, told = (list(column) for column in zip(*pairs, strict=True))
    durations = [one["duration_s"] for one in told]
    for what, seconds, most in (
        ("wall time of the run, all limits and layers", durations, bar),
        ("order to verdict", whole, None),
    ):
        yield Figure(
            benchmark="supervision",
            figure=f"{name}, {what}",
            value=median(seconds) * 1000,
            unit="ms",
            baseline="bare Python, output into a file",
            baseline_value=median(bare) * 1000,
            bar=most,
            bar_on="ratio",
            n=turns,
            details={
                "p95_ms": round(percentile(seconds, 95) * 1000, 1),
                "isolation": told[-1]["isolation"]["grade"],
            },
        )


def together(place: Place) -> Iterator[Figure]:
    """Twenty runs that are watched: the time of their runners on a core, and their memory."""
    folders = [place.start(SLEEPER) for _ in range(TOGETHER)]
    for folder in folders:
        place.harness.wait_for_output(folder, b"on")
    runners = [place.harness.state_of(folder)["runner_pid"] for folder in folders]
    time.sleep(2.0)  # the first looks are dearer
    before = sum(map(procfs.cpu_s, runners))
    time.sleep(WATCHED_S)
    cpu_s = sum(map(procfs.cpu_s, runners)) - before
    memory = [procfs.pss_mb(pid) for pid in runners]
    for folder in folders:
        place.harness.web.ask("cancel", folder=folder)
    for folder in folders:
        place.harness.exit_of(folder)
    for figure, value, unit, bar in (
        ("20 runs watched, share of a core", cpu_s / WATCHED_S * 100, "%", 1.0),
        ("a runner's memory (PSS), median", median(memory), "MB", 2.5),
    ):
        yield Figure(
            benchmark="supervision",
            figure=figure,
            value=value,
            unit=unit,
            baseline="nothing",
            baseline_value=0.0,
            bar=bar,
            bar_on="value",
            n=TOGETHER,
        )


def overshoot(place: Place) -> Figure:
    """How far a run gets past its memory limit that grows by 100 MB a second."""
    peaks = []
    for _ in range(SHORT_TURNS):
        told = place.harness.exit_of(place.start(GROWING, memory_mb=256))
        assert told["reason"] == "memory", told
        peaks.append(told["peak_memory_mb"])
    return Figure(
        benchmark="supervision",
        figure="peak of a run that grows by 100 MB/s, largest",
        value=max(peaks),
        unit="MB",
        baseline="its limit",
        baseline_value=256.0,
        bar=1.25,
        bar_on="ratio",
        n=SHORT_TURNS,
    )


def last_breath(place: Place) -> Figure:
    """From the time limit to the death of a tree that is deaf to TERM, beyond its grace."""
    waits = []
    for _ in range(SHORT_TURNS):
        folder = place.start(DEAF, timeout_s=1, grace_s=1)
        told = place.harness.exit_of(folder)
        pids = [int(line) for line in joined(place.harness.records_of(folder), "O").split()]
        assert told["status"] == "timed_out" and len(pids) == 6, told
        wait_for(lambda: all(map(is_gone, pids)))  # noqa: B023 - called at once
        waits.append(time.time() - told["started_at"] - 2.0)
    return Figure(
        benchmark="supervision",
        figure="time limit to dead tree, beyond its grace, longest",
        value=max(waits),
        unit="s",
        baseline="nothing",
        baseline_value=0.0,
        bar=1.0,
        bar_on="value",
        n=SHORT_TURNS,
        details={"processes": 6},
    )
