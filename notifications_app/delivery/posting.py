"""The way of a batch: claimed, written as a letter, given to the courier, ended by its answer."""

import logging
import time
from collections.abc import Callable
from datetime import datetime
from typing import cast

from django.utils import timezone

from notifications_app.channels import targets
from notifications_app.channels.targets import PlainTexts
from notifications_app.delivery import batches, courier, results
from notifications_app.delivery.batches import Batch
from notifications_app.delivery.letters import Answer, Kind, Letter
from notifications_app.messages import compose

logger = logging.getLogger(__name__)

TIMEOUT_S = 120.0  # of the child that sends
ADDS_FOR_S = 60.0  # so long the child is given what becomes due meanwhile
MAX_LETTERS = 100  # at a time, so that each is a short while under way
NO_ANSWER = "No answer came in time."
Claimed = dict[str, Batch]  # what is under way, by the id of its message


def do_nothing() -> None:
    pass


def step(
    *,
    now: datetime,
    clock: Callable[[], datetime] = timezone.now,
    meanwhile: Callable[[], None] = do_nothing,
) -> bool:
    """Send what is due, and what becomes due while that is under way; return whether anything was.

    `clock` tells when answers come; `meanwhile` is called again and again until they have: a receiver may take long,
    and what happens while it does must not wait for it.
    """
    claimed: Claimed = {}
    letters = _claim_due(claimed, now)
    if not letters:
        return False
    adds_until = time.monotonic() + ADDS_FOR_S

    def more() -> list[Letter]:
        meanwhile()
        if time.monotonic() > adds_until:
            return []
        return _claim_due(claimed, clock())

    _send(letters, claimed, clock, more)
    return True


def _claim_due(claimed: Claimed, now: datetime) -> list[Letter]:
    letters = []
    due_now = batches.look(now=now).due[:MAX_LETTERS]
    plain = targets.decrypted({due.channel for due in due_now})
    for due in due_now:
        batch = batches.claim(due, now=now)
        if batch is None:
            continue
        letter = _letter_or_none(batch, plain, now)
        if letter:
            claimed[letter.id] = batch
            letters.append(letter)
    return letters


def letter_of(batch: Batch, plain: PlainTexts, *, now: datetime) -> Letter:
    """Write a batch as a letter. Raise TargetUnreadable."""
    target = targets.target_of(batch.channel, batch.rows[0].recipients, plain=plain)
    content = compose.content_of(
        batch.channel,
        batch.rows,
        message_id=batch.message_id,
        from_email=target.get("from_email", ""),
        now=now,
    )
    kind = cast(Kind, batch.channel.kind)
    return Letter(id=batch.message_id, kind=kind, target=target, content=content)


def _letter_or_none(batch: Batch, plain: PlainTexts, now: datetime) -> Letter | None:
    # A message that cannot be written must not keep the others from being sent.
    try:
        return letter_of(batch, plain, now=now)
    except targets.TargetUnreadable as error:
        why = str(error)
    except Exception as error:
        logger.exception("message %s could not be written", batch.message_id)
        why = f"The message could not be written: {error!r}"
    results.note(batch, Answer(id=batch.message_id, outcome="refused", answer=why[:500]), now=now)
    return None


def _send(
    letters: list[Letter],
    claimed: Claimed,
    clock: Callable[[], datetime],
    more: Callable[[], list[Letter]],
) -> None:
    def answered(answer: Answer) -> None:
        batch = claimed.pop(answer.id, None)
        if batch is not None:
            results.note(batch, answer, now=clock())

    why = NO_ANSWER
    untouched: set[str] = set()
    try:
        untouched = courier.send(letters, answered=answered, timeout_s=TIMEOUT_S, more=more)
    except OSError as error:  # TimeoutError among them
        logger.warning("nothing could be sent: %s", error)
        why = f"It could not be sent: {error}"
    for message_id, batch in claimed.items():
        if message_id in untouched:  # the child ended before their turn came, which is no try
            batches.release(batch, now=clock())
            continue
        answer = Answer(id=message_id, outcome="retry", answer=why[:500])
        results.note(batch, answer, now=clock())
