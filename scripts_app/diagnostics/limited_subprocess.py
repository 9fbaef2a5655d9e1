"""A program that reads a text, confined, with limits for its time, its memory and its output."""

import contextlib
import resource
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tempo_site.lib import confined

MEMORY_BYTES = 1024**3  # of address space, more than the program really uses


@contextlib.contextmanager
def one_at_a_time(lock: threading.Lock, *, timeout_s: float) -> Iterator[None]:
    """Hold a lock. Raises TimeoutError when another thread holds the lock for longer."""
    if not lock.acquire(timeout=timeout_s):
        raise TimeoutError("another text is being looked at")
    try:
        yield
    finally:
        lock.release()


def run(
    command: Sequence[str],
    text: bytes,
    *,
    timeout_s: float,
    max_bytes: int,
    read: Sequence[str | Path] = (),
    write: Sequence[str | Path] = (),
    env: Mapping[str, str] | None = None,
) -> bytes:
    """Return the output of a program for a text; a program with more output than `max_bytes` is ended.

    It has the variables `env`, reads the system and below `read`, writes below `write`. Raises TimeoutError, OSError,
    and CalledProcessError when the program fails.
    """
    with tempfile.TemporaryFile() as stdin:  # with two pipes both sides could wait for each other
        stdin.write(text)
        stdin.seek(0)
        with subprocess.Popen(
            confined.command(command, read=[*confined.own_python(), *read], write=write),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=env or {},
        ) as program:
            output = _read_output(program, timeout_s, max_bytes)
    if program.returncode and len(output) < max_bytes:
        raise subprocess.CalledProcessError(program.returncode, command[0])
    return output


def _read_output(program: subprocess.Popen[bytes], timeout_s: float, max_bytes: int) -> bytes:
    assert program.stdout
    _limit(program.pid)
    is_late = threading.Event()
    timer = threading.Timer(timeout_s, _end, (program, is_late))
    timer.start()
    output = program.stdout.read(max_bytes)
    if len(output) == max_bytes:
        program.kill()
    program.wait()
    timer.cancel()
    if is_late.is_set():
        raise TimeoutError(f"it took longer than {timeout_s} s")
    return output


def _end(program: subprocess.Popen[bytes], is_late: threading.Event) -> None:
    is_late.set()
    program.kill()


def _limit(pid: int) -> None:
    # From outside, because code between fork and exec may hang in a process with threads.
    try:
        resource.prlimit(pid, resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))
    except (ProcessLookupError, PermissionError):
        return  # the program has ended; or the system refuses, and the timeout is the only limit
