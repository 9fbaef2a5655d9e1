"""A test message: sent at once and once, and the answer is the receiver's own."""

import uuid
from datetime import datetime
from typing import Any, cast

from notifications_app.channels import targets
from notifications_app.delivery import courier
from notifications_app.delivery.letters import Answer, Kind, Letter
from notifications_app.events import heartbeats
from notifications_app.messages import compose
from notifications_app.models import MAX_ANSWER, Channel, Delivery

TIMEOUT_S = 30.0
TITLE = "A test message of Tempo"
TEXT = "Tempo can reach you here. Nothing happened."
TEST = "test"
NO_ANSWER = "No answer came in time."


def send_test(channel: Channel, *, now: datetime) -> Answer:
    """Send a test message to a channel, stored or not, and return the answer; the channel keeps it, and no delivery."""
    try:
        letter = _letter(channel, now)
    except targets.TargetUnreadable as error:
        return Answer(id="", outcome="refused", answer=str(error))
    answers: list[Answer] = []
    try:
        courier.send([letter], answered=answers.append, timeout_s=TIMEOUT_S)
    except OSError as error:  # TimeoutError among them
        return Answer(id=letter.id, outcome="retry", answer=f"It could not be sent: {error}")
    if not answers:
        return Answer(id=letter.id, outcome="retry", answer=NO_ANSWER)
    _keep(channel, answers[0], now)
    return answers[0]


def _letter(channel: Channel, now: datetime) -> Letter:
    target = targets.target_of(channel)
    message_id = f"msg_{uuid.uuid4().hex}"
    content = _content(channel, message_id, target.get("from_email", ""), now)
    return Letter(id=message_id, kind=cast(Kind, channel.kind), target=target, content=content)


def _content(channel: Channel, message_id: str, from_email: str, now: datetime) -> dict[str, Any]:
    if channel.kind == Channel.Kind.HEARTBEAT:
        return {"signal": heartbeats.SUCCESS, "run": "", "text": TEXT}
    row = Delivery(
        channel=channel,
        event=TEST,
        title=TITLE,
        facts={"lines": [["Channel", channel.name], ["Note", TEXT]]},
        created_at=now,
    )
    return compose.content_of(channel, [row], message_id=message_id, from_email=from_email, now=now)


def _keep(channel: Channel, answer: Answer, now: datetime) -> None:
    Channel.objects.filter(pk=channel.pk).update(
        last_answer_at=now,
        last_outcome=answer.outcome,
        last_answer=answer.answer[:MAX_ANSWER],
    )
