"""Calls that come twice: for 24 hours the second one gets the answer of the first, and starts nothing."""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from runs_app.models import Run
from runs_app.url_triggers.models import TriggerAnswer, UrlTrigger

KEPT = timedelta(hours=24)
MAX_KEY_LENGTH = 255


class Mark(NamedTuple):
    """A name of a call, and what it said; content "" is not compared."""

    name: str
    content: str = ""


class OtherContent(Exception):
    """The name of an earlier call was used for a call that says something else."""


def mark(kind: str, *parts: str, content: str = "") -> Mark:
    text = "\0".join([kind, *parts])
    return Mark(hashlib.sha256(text.encode(errors="replace")).hexdigest(), content)


def content_of(method: str, query: str, body: bytes) -> str:
    """Return the SHA-256 of what a call says."""
    return hashlib.sha256(f"{method}\0{query}\0".encode(errors="replace") + body).hexdigest()


def earlier_answer(
    trigger: UrlTrigger, marks: list[Mark], *, now: datetime
) -> TriggerAnswer | None:
    """Return what a call with one of these names was answered. Raise OtherContent."""
    contents = {found.name: found.content for found in marks}
    rows = trigger.answers.filter(name__in=list(contents), created_at__gt=now - KEPT)
    first = None
    for row in rows.order_by("pk"):
        if row.content != contents[row.name]:
            raise OtherContent
        first = first or row
    return first


def keep(
    trigger: UrlTrigger, marks: list[Mark], run: Run, answer: Mapping[str, Any], *, now: datetime
) -> None:
    """Keep an answer by each of its names, in the transaction that starts the run."""
    names = [found.name for found in marks]
    trigger.answers.filter(name__in=names).delete()  # of more than 24 hours ago
    rows = []
    for found in marks:
        row = TriggerAnswer(
            trigger=trigger,
            name=found.name,
            content=found.content,
            run=run.pk,
            answer=dict(answer),
            created_at=now,
        )
        rows.append(row)
    TriggerAnswer.objects.bulk_create(rows)


def forget_old(*, now: datetime) -> None:
    TriggerAnswer.objects.filter(created_at__lte=now - KEPT).delete()
