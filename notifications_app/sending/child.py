"""Reads letters from stdin, a line each, sends them, and writes an answer for each to stdout."""

import importlib
import json
import logging
import os
import resource
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from notifications_app.channels.addresses import Policy
from notifications_app.delivery.letters import BEGUN, Answer, Letter
from notifications_app.sending import connections, exchanges

# Each is imported with the first letter of its kind: apprise alone takes 0.4 s and 30 MB.
SENDERS = {
    "mail": "mail",
    "webhook": "webhook",
    "apprise": "apprise_services",
    "heartbeat": "heartbeat",
}
CHANNELS_AT_ONCE = 16
MEMORY_BYTES = 512 * 1024**2  # of address space; all senders together took 93 MB
LOOK_S = 1.0  # between two looks for letters that take too long
LETTER_TIMEOUT_S = 45.0  # a receiver that answers a byte now and then passes every other limit
# Of HTTP: who we are is not accepted, too much, away; of SMTP: closing, the log-in. None: it could not be spoken to.
_FOR_ALL_LETTERS = frozenset({None, 401, 402, 403, 429, 503, 421, 454, 530, 534, 535, 538})


def main(private: str, own_port: str) -> None:
    """Send all letters of stdin."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it writes into no file
    logging.disable(logging.CRITICAL)  # apprise's logs hold addresses with their secrets
    exchanges.record_all()
    connections.guard(Policy(allows_private=private == "yes", own_port=int(own_port)))
    answers = _Answers()
    lanes = Lanes(
        send, answers.write, ThreadPoolExecutor(CHANNELS_AT_ONCE), begins=answers.note_begun
    )
    reader = threading.Thread(target=read_letters, args=(lanes,))
    reader.start()
    while reader.is_alive() or lanes.wait(timeout_s=LOOK_S):
        reader.join(LOOK_S)
        lanes.give_up(begun_before=time.monotonic() - LETTER_TIMEOUT_S)
    os._exit(0)  # all is answered; threads that a receiver holds would never end


def read_letters(lanes: "Lanes") -> None:
    """Read letters until there are no more: some come while others are under way."""
    for line in sys.stdin:
        lanes.add(Letter(**json.loads(line)))


class _Answers:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stdout, sys.stdout = sys.stdout, sys.stderr  # no library prints between the answers

    def write(self, answer: Answer) -> None:
        self._write(answer.line())

    def note_begun(self, letter: Letter) -> None:
        self._write(f"{BEGUN} {letter.id}\n")

    def _write(self, line: str) -> None:
        with self._lock:
            try:
                self._stdout.write(line)
                self._stdout.flush()
            except OSError:
                os._exit(1)  # nobody hears what is sent: it will be asked for again


class Lanes:
    """Letters of one channel are sent in their order, those of several channels side by side."""

    def __init__(
        self,
        send: Callable[[Letter], Answer],
        answered: Callable[[Answer], None],
        pool: ThreadPoolExecutor,
        *,
        begins: Callable[[Letter], None] = lambda letter: None,
    ) -> None:
        self._send, self._answered, self._pool, self._begins = send, answered, pool, begins
        self._changed = threading.Condition()
        self._waiting: dict[str, deque[Letter]] = {}
        self._under_way: dict[str, tuple[Letter, float]] = {}
        self._given_up: dict[str, Answer] = {}

    def add(self, letter: Letter) -> None:
        """Queue a letter behind those to the same target."""
        lane = lane_of(letter)
        with self._changed:
            is_idle = lane not in self._waiting
            self._waiting.setdefault(lane, deque()).append(letter)
        if is_idle:
            self._pool.submit(self._serve, lane)

    def wait(self, *, timeout_s: float) -> bool:
        """Wait until all letters are answered; True when some are not after this time."""
        with self._changed:
            return not self._changed.wait_for(lambda: not self._waiting, timeout_s)

    def give_up(self, *, begun_before: float) -> None:
        """Answer for the lanes whose letter has been under way for too long, and leave their threads alone."""
        with self._changed:
            for lane, (letter, began) in list(self._under_way.items()):
                if began < begun_before:
                    self._abandon(lane, letter)
            self._changed.notify_all()

    def _abandon(self, lane: str, letter: Letter) -> None:
        for one in (letter, *self._waiting.pop(lane)):
            self._answered(Answer(id=one.id, outcome="retry", answer="no answer in time"))
        del self._under_way[lane]

    def _serve(self, lane: str) -> None:
        while letter := self._next(lane):
            reason = self._given_up.get(lane)
            if reason:
                self._answered(replace(reason, id=letter.id, duration_ms=0, recipients={}))
                continue
            self._begins(letter)
            answer = self._send(letter)
            self._answered(answer)
            if is_for_the_others_too(answer):
                self._given_up[lane] = answer

    def _next(self, lane: str) -> Letter | None:
        with self._changed:
            self._under_way.pop(lane, None)
            letters = self._waiting.get(lane)
            if not letters:
                self._waiting.pop(lane, None)
                self._changed.notify_all()
                return None
            letter = letters.popleft()
            self._under_way[lane] = (letter, time.monotonic())
            return letter


def lane_of(letter: Letter) -> str:
    """Return what letters have in common that are sent one after the other; of mail: the server, whoever gets it."""
    target = {name: value for name, value in letter.target.items() if name != "to"}
    return json.dumps([letter.kind, target], sort_keys=True)


def is_for_the_others_too(answer: Answer) -> bool:
    """Tell whether the other letters of this channel would fare alike, so that nobody waits for each of them."""
    if answer.outcome == "gone":
        return True
    return answer.outcome == "retry" and answer.status in _FOR_ALL_LETTERS


def send(letter: Letter) -> Answer:
    """Send one letter; whatever goes wrong in a library is an answer too."""
    began = time.monotonic()
    try:
        sender = importlib.import_module(f"notifications_app.sending.{SENDERS[letter.kind]}")
        answer: Answer = sender.send(letter)
    except Exception as error:
        # The text of an unknown error may hold a secret: the place and kind will do.
        place = traceback.extract_tb(error.__traceback__)[-1]
        words = f"{type(error).__name__} in {place.name}, line {place.lineno}"
        answer = Answer(id=letter.id, outcome="retry", answer=f"the message was not sent: {words}")
    return replace(answer, duration_ms=round((time.monotonic() - began) * 1000))
