"""Doorbells of the runs app; the rows are the letters."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.dispatch import Signal

# A run reached a final status. Arguments: run. Receivers that must act sweep `announced_at IS NULL` as well.
run_finished = Signal()

# A search had to do without a part of the index, which is being made or was deleted. No arguments.
search_degraded = Signal()

# A run is about to end. Arguments: run, status, fields (of Run, stored with it). A receiver answers from memory
# whether anybody is to hear of it: the end of every run waits for the answer.
end_is_heard = Signal()

# In each pass of the engine. Arguments: now.
engine_passed = Signal()

# The engine was stopped, and did not crash. No arguments.
engine_stopped = Signal()


def announced_at(
    run: Any, status: str, *, now: datetime, fields: Mapping[str, Any]
) -> datetime | None:
    """Return the mark of an end that nobody is to hear of; None leaves it to the sweep."""
    answers = end_is_heard.send_robust(None, run=run, status=status, fields=fields)
    if any(answer for _, answer in answers):  # an error counts as a yes: the sweep finds out
        return None
    return now
