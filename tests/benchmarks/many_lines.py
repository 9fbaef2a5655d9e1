"""A hundred thousand lines as fast as the script can: beside a bare Python writing to a file, and to twenty viewers."""

import asyncio
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

from tests.benchmarks import procfs
from tests.benchmarks.clients import output_frames, socket_to
from tests.benchmarks.figures import Figure
from tests.benchmarks.setting import Bare, Setting, running
from tests.service import Service

LINES = 100_000
TEXT = "the quick brown fox jumps over the lazy dog, again and again"
WRITER = f"""
for number in range({LINES}):
    print(f"{{number:06d}} {TEXT}")
"""
EXPECTED = "".join(f"{number:06d} {TEXT}\n" for number in range(LINES))
ROUNDS = 3
VIEWERS = 20
SAMPLE_S = 0.05
CALM_S = 2.0


def measure(setting: Setting) -> Iterator[Figure]:
    """Nobody watches at first, then twenty do."""
    with running(setting) as service:
        bare = Bare.of(service)
        slug = service.make_script("Writer", WRITER)
        path = bare.script(WRITER)
        rounds = [
            (bare.run_s(path), bare.run_s(path, unbuffered=False), *written_s(service, slug))
            for _ in range(ROUNDS)
        ]
        unbuffered, buffered, durations, totals = (
            list(column) for column in zip(*rounds, strict=True)
        )
        details = {"until_seen_finished_s": round(median(totals), 3)}
        yield wall("unbuffered as scripts of Tempo are", durations, unbuffered, details)
        yield wall("buffered", durations, buffered, details)
        yield from watched(service, slug, alone_s=median(totals))


def written_s(service: Service, slug: str) -> tuple[float, float]:
    """Seconds that the run lasted, and from the call to its end in the API; AssertionError when its log is wrong."""
    asked = time.monotonic()
    run = service.run(slug)
    total_s = time.monotonic() - asked
    assert service.get(f"/runs/{run['id']}/log") == EXPECTED, "the log is not what the script wrote"
    return run["duration_s"], total_s


# --- viewers ---------------------------------------------------------------------------------------------------------
def watched(service: Service, slug: str, *, alone_s: float) -> Iterator[Figure]:
    """Twenty viewers follow a run; the memory of web is looked at all the while."""
    time.sleep(CALM_S)
    web = service.web_pid()
    before_mb = procfs.pss_mb(web)
    with sampling(web) as samples:
        asked = time.monotonic()
        run_id, sums = asyncio.run(view(service, slug))
        total_s = time.monotonic() - asked
    stored = stored_sum(service, run_id)
    yield arrived(sum(found == stored for found in sums), total_s, alone_s)
    time.sleep(CALM_S)
    yield growth(max(samples) - before_mb, before_mb, after_mb=procfs.pss_mb(web))


async def view(service: Service, slug: str) -> tuple[int, list[int]]:
    """Start a run and follow it with all viewers; its id, and a checksum of what each of them got."""
    run_id = (await asyncio.to_thread(service.post, f"/scripts/{slug}/runs"))["id"]
    sums = await asyncio.gather(*(follow(service, run_id) for _ in range(VIEWERS)))
    return run_id, sums


async def follow(service: Service, run_id: int) -> int:
    """The checksum of all records one viewer got; AssertionError when there was a gap between two frames."""
    checksum = end = 0
    async with socket_to(service, f"/ws/runs/{run_id}/") as socket:
        async for header, records in output_frames(socket):
            assert header["t"] == "o" and header["o"] == end, f"a gap at {end}: {header}"
            checksum, end = zlib.crc32(records.encode(), checksum), header["n"]
    return checksum


def stored_sum(service: Service, run_id: int) -> int:
    """The checksum of the log as it is stored; AssertionError when a line is missing."""
    (log,) = (service.data / "runs").glob(f"*/{run_id}-*/output.log")
    content = log.read_bytes()
    count = content.count(b"\n")
    assert count == LINES, f"{count} lines of {LINES}"
    return zlib.crc32(content)


@contextmanager
def sampling(pid: int) -> Iterator[list[float]]:
    """The PSS of a process in MB, twenty times a second."""
    samples = [procfs.pss_mb(pid)]
    is_over = threading.Event()

    def sample() -> None:
        while not is_over.wait(SAMPLE_S):
            samples.append(procfs.pss_mb(pid))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield samples
    finally:
        is_over.set()
        thread.join()


# --- figures ---------------------------------------------------------------------------------------------------------
def wall(name: str, durations: list[float], bare: list[float], details: dict[str, Any]) -> Figure:
    """What the run lasted."""
    return Figure(
        benchmark="many_lines",
        figure=f"{LINES} lines, all kept right, beside bare Python {name}",
        value=median(durations),
        unit="s",
        baseline=f"bare Python writing them to a file, {name}",
        baseline_value=median(bare),
        bar=1.5,
        bar_on="ratio",
        n=ROUNDS,
        details=details,
    )


def arrived(count: int, total_s: float, alone_s: float) -> Figure:
    """How many viewers did not get every byte in order: a gap or a difference to the log."""
    return Figure(
        benchmark="many_lines",
        figure=f"viewers of {VIEWERS} that missed any of {LINES} lines",
        value=VIEWERS - count,
        unit="viewers",
        baseline="seconds until the run is seen finished, without viewers",
        baseline_value=alone_s,
        bar=0,
        bar_on="value",
        n=VIEWERS,
        details={"seconds_until_all_had_all": round(total_s, 2)},
    )


def growth(grown_mb: float, before_mb: float, *, after_mb: float) -> Figure:
    """What the viewers cost in memory while they watched."""
    return Figure(
        benchmark="many_lines",
        figure=f"growth of web's PSS with {VIEWERS} viewers, peak",
        value=grown_mb,
        unit="MB",
        baseline="web's PSS before",
        baseline_value=before_mb,
        bar=10,
        bar_on="value",
        n=VIEWERS,
        details={"growth_afterwards_mb": round(after_mb - before_mb, 1)},
    )
