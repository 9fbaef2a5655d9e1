"""The memory limit: what is refused or ended says so, and memory that is only reserved does no harm."""

import resource
from collections.abc import Iterator
from typing import Any

import pytest

from runs_app.launcher.identity import limits as kernel_limits
from runs_app.launcher.spec import Limits
from tests.runs_app.launcher.harness import LauncherHarness, joined, wait_for

THREADS = """
import threading
gate = threading.Event()
for _ in range({count}):
    threading.Thread(target=gate.wait, daemon={is_daemon}).start()
"""


@pytest.fixture(scope="module")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LauncherHarness]:
    with LauncherHarness(tmp_path_factory.mktemp("data")) as launcher:
        yield launcher
        wait_for(lambda: not launcher.survivors())


def told_of(launcher: LauncherHarness, code: str, **limits: Any) -> dict[str, Any]:
    return launcher.exit_of(launcher.run(code, limits=limits))


def test_a_hundred_threads_that_wait_start_under_the_usual_limit(launcher: LauncherHarness) -> None:
    code = THREADS.format(count=100, is_daemon=True)
    assert told_of(launcher, code, memory_mb=512, processes=64)["status"] == "succeeded"


def test_a_thread_refused_for_want_of_memory_is_told_as_memory(launcher: LauncherHarness) -> None:
    told = told_of(launcher, THREADS.format(count=99, is_daemon=True), memory_mb=64, processes=64)

    assert (told["status"], told["reason"], told["exit_code"]) == ("failed", "memory", 1)
    assert told["message"].startswith("Was refused memory for another thread")
    assert "limit 64 MB" in told["message"] and "hint: raise the memory limit" in told["message"]


def test_who_waits_for_ever_after_a_thread_was_refused_is_told_so(
    launcher: LauncherHarness,
) -> None:
    code = THREADS.format(count=99, is_daemon=False)
    folder = launcher.run(code, limits={"memory_mb": 64}, timeout_s=1)
    told = launcher.exit_of(folder)

    assert (told["status"], told["reason"]) == ("timed_out", "time")
    assert "; Was refused memory for another thread" in told["message"]


def test_a_crash_beside_the_limit_is_told_as_memory(launcher: LauncherHarness) -> None:
    # Pages that are reserved and not touched: the memory in use stays far below the limit.
    code = """
import mmap, os, signal, time
kept = mmap.mmap(-1, {reserved}, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
print("reserved", flush=True)
time.sleep(0.6)
os.kill(os.getpid(), signal.SIGSEGV)
"""
    reserved = int(kernel_limits.data_bytes(Limits(memory_bytes=64 << 20)) * 0.9)
    told = told_of(launcher, code.format(reserved=reserved), memory_mb=64)
    assert (told["reason"], told["signal"]) == ("memory", "SIGSEGV")
    assert told["message"].startswith("Crashed when it had reserved ")

    told = told_of(launcher, code.format(reserved=1 << 20), memory_mb=64)
    assert (told["reason"], told["signal"], told["message"]) == ("signal", "SIGSEGV", "")


def test_one_large_allocation_is_caught_while_it_is_filled(launcher: LauncherHarness) -> None:
    # Below what the kernel refuses, and filled as fast as can be.
    told = told_of(launcher, "kept = b'x' * (900 << 20)\nprint('survived')", memory_mb=512)

    assert (told["status"], told["reason"]) == ("failed", "memory"), told
    assert told["peak_memory_mb"] < 512 * 1.6


def test_a_script_keeps_the_stack_of_a_shell(launcher: LauncherHarness) -> None:
    # A smaller one for threads would make room, but numpy's solver needs more than 4 MB in whatever thread calls it.
    code = "import resource; print(resource.getrlimit(resource.RLIMIT_STACK))"
    folder = launcher.run(code, limits={"memory_mb": 512})
    launcher.exit_of(folder)

    assert (
        joined(launcher.records_of(folder))
        == f"{resource.getrlimit(resource.RLIMIT_STACK)}\n".encode()
    )


@pytest.mark.parametrize(
    ("memory_mb", "cores", "threads"),
    [(512, 16, b"4"), (64, 16, b"1"), (512, 4, None), (4096, 16, None), (0, 16, None)],
)
def test_blas_starts_no_more_threads_than_memory_has_room_for(
    monkeypatch: pytest.MonkeyPatch, memory_mb: int, cores: int, threads: bytes | None
) -> None:
    monkeypatch.setattr(kernel_limits, "_CORES", cores)
    variables = kernel_limits.variables(Limits(memory_bytes=memory_mb << 20))
    assert variables.get(b"OPENBLAS_NUM_THREADS") == threads


def test_a_variable_of_the_script_goes_before(launcher: LauncherHarness) -> None:
    code = "import os; print(os.environ.get('OPENBLAS_NUM_THREADS', 'none'))"
    limits = {"memory_mb": 64}
    own = launcher.run(code, limits=limits, env={"OPENBLAS_NUM_THREADS": "7"})
    ours = launcher.run(code, limits=limits)
    launcher.exit_of(own)
    launcher.exit_of(ours)

    assert joined(launcher.records_of(own)) == b"7\n"
    variables = kernel_limits.variables(Limits(memory_bytes=64 << 20))
    expected = variables.get(b"OPENBLAS_NUM_THREADS", b"none")
    assert joined(launcher.records_of(ours)) == expected + b"\n"
