"""Asks a program about a text: with an end to its time, its memory and the length of its answer."""

import contextlib
import resource
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence

MEMORY_BYTES = 1024**3  # of address space, of which a program uses a part


@contextlib.contextmanager
def one_at_a_time(lock: threading.Lock, *, patience_s: float) -> Iterator[None]:
    """Hold a lock meanwhile. Raises TimeoutError when another one holds it for longer."""
    if not lock.acquire(timeout=patience_s):
        raise TimeoutError("another text is being looked at")
    try:
        yield
    finally:
        lock.release()


def answer(
    command: Sequence[str],
    text: bytes,
    *,
    patience_s: float,
    most_bytes: int,
    env: Mapping[str, str] | None = None,
) -> bytes:
    """Give a text to a program and return the first `most_bytes` that it writes; it is ended when there are more.

    Raises TimeoutError when it takes longer, CalledProcessError when it fails, OSError when there is no such program.
    """
    with tempfile.TemporaryFile() as given:  # a pipe would make both wait for each other
        given.write(text)
        given.seek(0)
        with subprocess.Popen(
            command,
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=env,
        ) as program:
            assert program.stdout
            _limit(program.pid)
            is_late = threading.Event()
            patience = threading.Timer(patience_s, _end, (program, is_late))
            patience.start()
            written = program.stdout.read(most_bytes)
            if len(written) == most_bytes:
                program.kill()
            status = program.wait()
            patience.cancel()
    if is_late.is_set():
        raise TimeoutError(f"it took longer than {patience_s} s")
    if status and len(written) < most_bytes:
        raise subprocess.CalledProcessError(status, command[0])
    return written


def _end(program: subprocess.Popen[bytes], is_late: threading.Event) -> None:
    is_late.set()
    program.kill()


def _limit(pid: int) -> None:
    """Bound a program from outside: what runs between fork and exec in a process with threads may hang."""
    try:
        resource.prlimit(pid, resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))
    except (ProcessLookupError, PermissionError):
        return  # it has ended already; or the system does not let us, and the patience is all there is
