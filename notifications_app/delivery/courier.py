"""Starts the child that sends, hands it letters and hears its answers."""

import contextlib
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

import django
from django.conf import settings

from notifications_app.delivery.letters import BEGUN, Answer, Letter
from scripts_app.packages import index
from tempo_site.lib import confined, listener, network_access
from tempo_site.stored_settings import store

logger = logging.getLogger(__name__)

TURN_S = 120.0  # how long another child may be waited for
_one_at_a_time = threading.Lock()
_PACKAGES = Path(django.__file__).absolute().parent.parent
_APP = settings.BASE_DIR / "notifications_app"
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
_FAILED = "notifications: the child that sends ended status=%s"


def send(
    letters: Iterable[Letter],
    *,
    answered: Callable[[Answer], None],
    timeout_s: float,
    turn_s: float = TURN_S,
) -> set[str]:
    """Send letters and call `answered` in this thread for each answer; a letter without one is to be tried again.

    The child is ended after `timeout_s`. Return the ids of the letters whose turn had not come by then; none when not
    even one had its turn. Raise TimeoutError when another child has the turn for over `turn_s`, and OSError when the
    child does not start.
    """
    letters = list(letters)
    if not letters:
        return set()
    lines = [letter.line() for letter in letters]
    with _turn(turn_s), _child() as child:
        timer = threading.Timer(timeout_s, child.kill)
        writer = threading.Thread(target=_write, args=(child.stdin, lines), daemon=True)
        timer.start()
        writer.start()
        try:
            return _hear(child, {letter.id for letter in letters}, answered)
        finally:
            child.kill()  # it has closed its output, or nobody hears it any more
            timer.cancel()
            writer.join()


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
    return [*confined.own_python(), _PACKAGES, _APP, *network_access.certificate_paths()]


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


def _write(stdin: IO[str], lines: Sequence[str]) -> None:
    with contextlib.suppress(OSError), stdin:  # the child has ended
        stdin.writelines(lines)


def _hear(
    child: "subprocess.Popen[str]", ids: set[str], answered: Callable[[Answer], None]
) -> set[str]:
    # Return the ids of the letters whose turn did not come.
    assert child.stdout
    unanswered, untouched = set(ids), set(ids)
    for line in child.stdout:
        answer = Answer.read(line)
        if answer is None:
            untouched.discard(line.removeprefix(f"{BEGUN} ").rstrip())
        elif answer.id in unanswered:
            unanswered.remove(answer.id)
            untouched.discard(answer.id)
            answered(answer)
    if child.wait() != 0:
        logger.warning(_FAILED, child.returncode)
    return set() if untouched == ids else untouched
