"""The keys of a trigger: issued, rotated, revoked; shown once and stored as a hash."""

from datetime import datetime, timedelta

from django.db import transaction

from runs_app.url_triggers.models import TriggerKey, UrlTrigger
from scripts_app.validation import ScriptError
from tempo_site.accounts import tokens
from tempo_site.audit import trail
from tempo_site.models import digest

PREFIX = "tempo_t_"
SHOWN_LENGTH = len(PREFIX) + 6
MAX_USABLE = 10
OVERLAP = timedelta(hours=24)  # so long the keys of before are good beside a new one
OVERLAP_HOURS = 24


def issue(trigger: UrlTrigger, *, by: str, now: datetime) -> tuple[TriggerKey, str]:
    """Store a new key and return it with its token, which is shown once. Raise ScriptError: too many."""
    token = tokens.make_token(PREFIX)
    with transaction.atomic():
        if trigger.keys.usable(now).count() >= MAX_USABLE:
            sentence = f"The trigger has {MAX_USABLE} keys already\nhint: revoke one"
            raise ScriptError(sentence, field="key")
        key = trigger.keys.create(
            prefix=token[:SHOWN_LENGTH],
            digest=digest(token),
            created_at=now,
            created_by=by[:150],
        )
        trail.record("created", key, name=f"{key} of {trigger.script.slug}")
    return key, token


def rotate(trigger: UrlTrigger, *, by: str, now: datetime) -> tuple[TriggerKey, str]:
    """Issue a key; those of before are good for 24 hours more, so that no caller is locked out meanwhile."""
    ends = now + OVERLAP
    with transaction.atomic():
        # Those that end sooner stay as they are, and make place where there are many.
        trigger.keys.usable(now).filter(expires_at=None).update(expires_at=ends)
        surplus = trigger.keys.usable(now).values_list("pk", flat=True)[MAX_USABLE - 1 :]
        trigger.keys.filter(pk__in=list(surplus)).update(revoked_at=now)
        name = f"of {trigger.script.slug}"
        trail.record("replaced the keys of", trigger, name=name, changes={"they end": ends})
        return issue(trigger, by=by, now=now)


def revoke(key: TriggerKey, *, now: datetime) -> bool:
    """End a key at once; False when it had been revoked before."""
    with transaction.atomic():
        rows = TriggerKey.objects.filter(pk=key.pk, revoked_at=None)
        if rows.update(revoked_at=now) == 0:
            return False
        trail.record("revoked", key, name=f"{key} of {key.trigger.script.slug}")
        return True
