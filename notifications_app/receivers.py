"""What the notifications app hears of the others, and of its own tables."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models.signals import post_delete, post_save

from notifications_app.channels import channels
from notifications_app.delivery import batches, teller
from notifications_app.events import outbox
from notifications_app.models import Channel, Rule
from notifications_app.rules import book, exchanged
from runs_app.models import Run
from runs_app.signals import end_is_heard, engine_passed, engine_stopped, run_finished
from scripts_app.exchange import parts
from scripts_app.models import Folder
from scripts_app.variables import rotation
from tempo_site.backups.signals import restored

GIVEN_UP = "Not sent: it waited when the backup was made that was restored since."


def connect() -> None:
    parts.add(exchanged.PART)
    rotation.more_secrets.append(channels.stored_secrets)
    end_is_heard.connect(on_end)
    run_finished.connect(on_finished)
    outbox.wanted_again.connect(on_wanted_again)
    engine_passed.connect(on_pass)
    engine_stopped.connect(on_stop)
    restored.connect(on_restored)
    for model in (Channel, Rule, Folder):
        post_save.connect(on_change, sender=model)
        post_delete.connect(on_change, sender=model)


def on_end(*, run: Run, status: str, fields: Mapping[str, Any], **_: object) -> bool:
    return book.is_end_heard(run, status, fields)


def on_finished(*, run: Run, **_: object) -> None:
    if run.announced_at is None:
        transaction.on_commit(teller.teller.wake)


def on_wanted_again(**_: object) -> None:
    transaction.on_commit(teller.teller.wake)


def on_pass(*, now: datetime, **_: object) -> None:
    teller.teller.look(now=now)


def on_stop(**_: object) -> None:
    teller.teller.stop()


def on_restored(*, now: datetime, **_: object) -> None:
    batches.give_up_all(GIVEN_UP, now=now)


def on_change(**_: object) -> None:
    book.forget_on_commit()
