"""A test of a channel: one message, sent at once and tried once, with the receiver's own words."""

import uuid
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.views.decorators.debug import sensitive_variables

from notifications_app.channels import targets
from notifications_app.delivery import courier
from notifications_app.delivery.letters import Answer, Letter
from notifications_app.events import outbox
from notifications_app.messages import compose
from notifications_app.models import MAX_ANSWER, Channel, ChannelQuerySet, Delivery
from tempo_site.audit import trail

TIMEOUT_S = 20.0
TURN_S = 4.0  # for messages that are being sent: with the test itself a request takes 25 s at most
EVENT = "test"  # the word of the webhook's `event`
TITLE = "A test from Tempo: messages arrive here"
SENT = "sent"
NO_ANSWER = f"There was no answer within {TIMEOUT_S:.0f} s"


@sensitive_variables()
def send_test(channel: Channel, *, now: datetime) -> Answer:
    """Send a test message and return what the receiver answered; a stored channel keeps the answer."""
    message_id = uuid.uuid4().hex
    try:
        target = targets.target_of(channel)
        letter = _letter(channel, target, message_id, now)
        answer = _sent(letter)
    except targets.TargetUnreadable as problem:
        answer = Answer(id=message_id, outcome="refused", answer=str(problem))
    trail.record("tested", channel)
    if channel.pk:
        Channel.objects.filter(pk=channel.pk).update(
            last_answer_at=now,
            last_outcome=answer.outcome,
            last_answer=answer.answer[:MAX_ANSWER],
        )
    if answer.outcome == SENT:
        outbox.try_now(_channels_that_work(channel), now=now)
    return answer


def _channels_that_work(tested: Channel) -> ChannelQuerySet:
    # All mail goes by the same settings.
    if tested.kind == Channel.Kind.MAIL:
        return Channel.objects.filter(kind=Channel.Kind.MAIL)
    return Channel.objects.filter(pk=tested.pk)


def send_test_mail(address: str, *, now: datetime) -> Answer:
    """Send a test mail to one address, by the settings for mail. Raise ValueError for what is no address."""
    try:
        validate_email(address)
    except ValidationError:
        raise ValueError(f"`{address[:100]}` is no mail address") from None
    channel = Channel(kind=Channel.Kind.MAIL, name="test", to=[address])
    return send_test(channel, now=now)


@sensitive_variables()
def _letter(channel: Channel, target: dict[str, object], message_id: str, now: datetime) -> Letter:
    row = Delivery(channel=channel, event=EVENT, title=TITLE, created_at=now)
    if channel.kind == Channel.Kind.HEARTBEAT:
        row.facts = {"signal": "success", "run": str(uuid.uuid4()), "text": TITLE}
    sender = str(target.get("from_email", ""))
    content = compose.content_of(channel, [row], message_id=message_id, from_email=sender, now=now)
    if channel.kind == Channel.Kind.APPRISE:
        content["level"] = "info"
    kind: Any = channel.kind
    return Letter(id=message_id, kind=kind, target=target, content=content)


def _sent(letter: Letter) -> Answer:
    answers: list[Answer] = []
    try:
        courier.send([letter], answered=answers.append, timeout_s=TIMEOUT_S, turn_s=TURN_S)
    except OSError as problem:  # TimeoutError too: other messages have the turn
        return Answer(id=letter.id, outcome="retry", answer=f"It could not be sent: {problem}")
    if not answers:
        return Answer(id=letter.id, outcome="retry", answer=NO_ANSWER)
    return answers[0]
