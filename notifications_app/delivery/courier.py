"""Starts the child that sends, hands it letters and hears its answers."""

import contextlib
import logging
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import django
from django.conf import settings

from notifications_app.delivery.letters import BEGUN, Answer, Letter
from scripts_app.packages import index
from tempo_site.lib import confined, listener, network_access
from tempo_site.stored_settings import store

logger = logging.getLogger(__name__)

TURN_S = 120.0  # how long another child may be waited for
LOOK_S = 1.0  # between two questions for more letters
_one_at_a_time = threading.Lock()
_PACKAGES = Path(django.__file__).absolute().parent.parent
_APP = settings.BASE_DIR / "notifications_app"
_WIRE = settings.BASE_DIR / "tempo_site" / "lib" / "wire"
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
_FAILED = "notifications: the child that sends ended status=%s"


def send(
    letters: Iterable[Letter],
    *,
    answered: Callable[[Answer], None],
    timeout_s: float,
    turn_s: float = TURN_S,
    more: Callable[[], Iterable[Letter]] | None = None,
) -> set[str]:
    """Send letters and call `answered` in this thread for each answer; a letter without one is to be tried again.

    `more` is asked, in this thread too, each second and when all is answered: for letters that the same child sends
    beside those under way. The child is ended after `timeout_s`. Return the ids of the letters whose turn had not come
    by then; none when not even one had its turn. Raise TimeoutError when another child has the turn for over `turn_s`,
    and OSError when the child does not start.
    """
    letters = list(letters)
    if not letters:
        return set()
    with _turn(turn_s), _child() as child:
        timer = threading.Timer(timeout_s, child.kill)
        timer.start()
        conversation = _Conversation(child)
        try:
            return conversation.hold(letters, answered, more)
        finally:
            child.kill()  # it has closed its output, or nobody hears it any more
            timer.cancel()
            conversation.close()


@contextlib.contextmanager
def _turn(timeout_s: float) -> Iterator[None]:
    if not _one_at_a_time.acquire(timeout=timeout_s):
        raise TimeoutError("other messages are being sent\nhint: try again in a minute")
    try:
        yield
    finally:
        _one_at_a_time.release()


def _child() -> "subprocess.Popen[str]":
    return subprocess.Popen(
        confined.command(_argv(), read=_places()),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # what a library prints may hold an address with its secret
        cwd="/",
        env=_variables(),
        encoding="utf-8",
        start_new_session=True,
    )


def _argv() -> list[str]:
    private = "yes" if store.value("PYSCHED_NOTIFY_PRIVATE") else "no"
    program = _APP / "sending" / "__main__.py"
    return [sys.executable, "-I", str(program), str(_PACKAGES), private, str(listener.port())]


def _places() -> Sequence[str | Path]:
    return [*confined.own_python(), _PACKAGES, _APP, _WIRE, *network_access.certificate_paths()]


def _variables() -> dict[str, str]:
    # No proxy among them: it would look names up by itself, behind the check of addresses.
    variables = {"HOME": "/nonexistent", "LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "1"}
    certificates = network_access.certificate_variables()
    variables.update({name: certificates[name] for name in _CERTIFICATES if name in certificates})
    system = next((path for path in index.SYSTEM_CERTIFICATES if Path(path).exists()), "")
    if system:
        # requests would trust the public authorities only, not one of a company.
        variables.setdefault("REQUESTS_CA_BUNDLE", variables.get("SSL_CERT_FILE", system))
    return variables


class _Conversation:
    """What is said to a child and heard of it, by a thread each: neither pipe holds up the other."""

    def __init__(self, child: "subprocess.Popen[str]") -> None:
        self._child = child
        self._said: queue.SimpleQueue[str | None] = queue.SimpleQueue()  # None: that is all
        self._heard: queue.SimpleQueue[str | None] = queue.SimpleQueue()  # None: it has ended
        self._ids: set[str] = set()
        self._unanswered: set[str] = set()
        self._untouched: set[str] = set()  # whose turn has not come
        self._threads = [threading.Thread(target=self._write), threading.Thread(target=self._read)]
        for thread in self._threads:
            thread.start()

    def hold(
        self,
        letters: Sequence[Letter],
        answered: Callable[[Answer], None],
        more: Callable[[], Iterable[Letter]] | None,
    ) -> set[str]:
        """Return the ids of the letters whose turn did not come."""
        self._add(letters)
        if more is None:
            self._said.put(None)
        look_at = time.monotonic() + LOOK_S
        while (line := self._next_line()) is not None:
            self._take(line, answered)
            if more and (not self._unanswered or time.monotonic() >= look_at):
                look_at = time.monotonic() + LOOK_S
                self._add(more())
                if not self._unanswered:
                    self._said.put(None)
                    more = None
        if self._child.wait() != 0:
            logger.warning(_FAILED, self._child.returncode)
        return set() if self._untouched == self._ids else self._untouched

    def close(self) -> None:
        self._said.put(None)
        for thread in self._threads:
            thread.join()

    def _add(self, letters: Iterable[Letter]) -> None:
        for letter in letters:
            for ids in (self._ids, self._unanswered, self._untouched):
                ids.add(letter.id)
            self._said.put(letter.line())

    def _next_line(self) -> str | None:
        try:
            return self._heard.get(timeout=LOOK_S)
        except queue.Empty:
            return ""

    def _take(self, line: str, answered: Callable[[Answer], None]) -> None:
        answer = Answer.read(line)
        if answer is None:
            self._untouched.discard(line.removeprefix(f"{BEGUN} ").rstrip())
        elif answer.id in self._unanswered:
            self._unanswered.remove(answer.id)
            self._untouched.discard(answer.id)
            answered(answer)

    def _write(self) -> None:
        stdin = self._child.stdin
        assert stdin
        with contextlib.suppress(OSError), stdin:  # the child has ended
            while (line := self._said.get()) is not None:
                stdin.write(line)
                if self._said.empty():
                    stdin.flush()

    def _read(self) -> None:
        assert self._child.stdout
        for line in self._child.stdout:
            self._heard.put(line)
        self._heard.put(None)
