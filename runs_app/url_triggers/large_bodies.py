"""Bodies larger than a stranger's: who may send one to a trigger, before it is read."""

from datetime import datetime
from enum import StrEnum

from django.views.decorators.debug import sensitive_variables

from runs_app.url_triggers import call_log, senders
from runs_app.url_triggers.call_log import CallOutcome
from runs_app.url_triggers.models import TriggerCall

MAX_BYTES = 2**20
UNREAD = "It showed no key of this trigger, and its body was too large to be read all the same."


class Right(StrEnum):
    """What a call may send beyond the little that strangers may."""

    NONE = "none"
    KNOWN = "known"
    TO_BE_PROVEN = "to be proven"  # by a signature over all of it


@sensitive_variables()
def right_to_send(slug: str, token: str, token_in_query: str, *, now: datetime) -> Right:
    """Return whether a call may send more than a stranger's, before its body is there."""
    trigger = senders.find_trigger(slug)
    shown = senders.shown_token(trigger, token, token_in_query)
    if senders.sender_by_token(trigger, shown, now=now) is not None:
        return Right.KNOWN
    if trigger is not None and trigger.is_signed:
        return Right.TO_BE_PROVEN
    return Right.NONE


def note_unread(slug: str, *, address: str, now: datetime) -> None:
    """Note a call whose body was too large for somebody unknown, and so was not read."""
    row = TriggerCall(at=now, status=404, address=address[:45], reason=UNREAD)
    call_log.note(senders.find_trigger(slug), row, CallOutcome.REFUSED)
