"""Regular expressions, matched in a child: an expression that takes too long ends with the child, not with Tempo."""

import contextlib
import json
import resource
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

from django.conf import settings

from runs_app.search.query import QueryError

TIMEOUT_S = 2.0  # to read the expression, and for a block of lines
CPU_S = 20  # of the child in all
MEMORY_BYTES = 512 * 2**20  # of address space
_PROGRAM = settings.BASE_DIR / "runs_app" / "search" / "pattern_child.py"


class TooSlow(Exception):
    """A regular expression took too long, in a sentence for people."""

    def __init__(self, pattern: str) -> None:
        super().__init__(
            f"`re:{pattern[:60]}` took too long on some lines and was stopped.\n"
            "hint: repeat nothing that repeats itself, as in `(a+)+`; add a word that the line holds"
        )


class PatternMatcher:
    def __init__(self, pattern: str, child: "subprocess.Popen[bytes]") -> None:
        self._pattern = pattern
        self._child = child
        self._ask(pattern)
        problem = json.loads(self._answer())
        if problem:
            raise QueryError(f"`re:{pattern[:60]}` is no regular expression: {problem}")

    def spans(self, lines: Sequence[str]) -> dict[int, tuple[int, int]]:
        """Return begin and end of the first match, by the positions of the lines that match. Raises TooSlow."""
        self._ask(lines)
        return {place: (begin, end) for place, begin, end in json.loads(self._answer())}

    def _ask(self, request: object) -> None:
        assert self._child.stdin
        try:
            self._child.stdin.write(json.dumps(request).encode() + b"\n")
            self._child.stdin.flush()
        except BrokenPipeError as error:
            raise TooSlow(self._pattern) from error

    def _answer(self) -> bytes:
        # The whole answer, or none: half a line would make a reader wait.
        assert self._child.stdout
        deadline = time.monotonic() + TIMEOUT_S
        answer = b""
        while not answer.endswith(b"\n"):
            left_s = max(0.0, deadline - time.monotonic())
            ready, _, _ = select.select([self._child.stdout], [], [], left_s)
            data = self._child.stdout.read1(65536) if ready else b""  # type: ignore[attr-defined]  # a BufferedReader
            if not data:  # too late, or ended by its limits
                raise TooSlow(self._pattern)
            answer += data
        return answer


@contextlib.contextmanager
def matcher(pattern: str) -> Iterator[PatternMatcher]:
    """Give what matches a pattern, as long as the context lasts. Raises QueryError, TooSlow."""
    command = [sys.executable, "-I", "-S", str(_PROGRAM)]
    pipe, null = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=null, cwd="/", env={}) as child:
        try:
            _limit(child.pid)
            yield PatternMatcher(pattern, child)
        finally:
            child.kill()


def _limit(pid: int) -> None:
    limits = {
        resource.RLIMIT_CPU: CPU_S,
        resource.RLIMIT_AS: MEMORY_BYTES,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
    }
    with contextlib.suppress(ProcessLookupError, PermissionError):
        for name, most in limits.items():
            resource.prlimit(pid, name, (most, most))
