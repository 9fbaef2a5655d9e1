"""Tempo came back after a crash: the mark of an engine at work was still there when the next one began."""

import contextlib
from datetime import datetime
from pathlib import Path

from notifications_app.events import outbox
from notifications_app.models import Event
from notifications_app.rules import book, nearest
from tempo_site.lib import paths

MARK = "at-work"
SENTENCE = "Tempo came back after a crash, or after the machine went down"


def note_start(*, now: datetime) -> bool:
    """Set the mark of an engine at work; where it was there already, tell that, and return True."""
    has_crashed = _mark().exists()
    with contextlib.suppress(OSError):  # a disk that takes no file has other things to tell
        _mark().touch(mode=0o600)
    if has_crashed:
        rules = nearest.rules_for_all(book.current().rules)
        listeners = {rule.channel: rule for rule in rules if Event.RESTARTED in rule.events}
        outbox.tell(Event.RESTARTED, SENTENCE, listeners, now=now)
    return has_crashed


def note_stop() -> None:
    with contextlib.suppress(OSError):
        _mark().unlink(missing_ok=True)


def _mark() -> Path:
    return paths.bells() / MARK
