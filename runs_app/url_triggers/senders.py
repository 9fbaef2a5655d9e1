"""Who sent a call: the holder of a key of the trigger, of an API key that may start runs, or of a secret that signs.

Whatever is missing or wrong, the same is looked up and computed: nobody learns from the time of an answer.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.views.decorators.debug import sensitive_variables

from runs_app.url_triggers import secrets_in_use
from runs_app.url_triggers.models import TriggerKey, UrlTrigger
from runs_app.url_triggers.signatures import Check, Scheme
from scripts_app import reach
from scripts_app.models import Script
from tempo_site import auth
from tempo_site.accounts import keys
from tempo_site.models import ApiKey, digest

NOT_HERE = "There is no trigger here for who asks.\nhint: show a key of it, or sign the request"
SECRETS_AT_ONCE = 2
_NOBODY_KNOWS = [secrets.token_urlsafe() for _ in range(SECRETS_AT_ONCE)]


@dataclass(frozen=True, kw_only=True)
class Sender:
    name: str  # as `by` of the run
    is_signed: bool = False
    key: int = 0  # of the trigger's own


def shown_token(trigger: UrlTrigger | None, token: str, token_in_query: str) -> str:
    """Return the key that counts: one in the address only where the trigger allows that."""
    if token or trigger is None or not trigger.allow_query_key:
        return token
    return token_in_query


def find_trigger(slug: str) -> UrlTrigger | None:
    """Return the trigger of a script that is there, also one that is off."""
    rows = UrlTrigger.objects.filter(script__slug=slug, script__deleted_at=None)
    return rows.select_related("script").only("pk", *_FIELDS).first()


_FIELDS = (
    "enabled",
    "allow_get",
    "allow_query_key",
    "scheme",
    "secret",
    "older_secret",
    "tolerance_s",
    "headers",
    "rules",
    "script__slug",
    "script__enabled",
)


@sensitive_variables()
def sender_by_token(trigger: UrlTrigger | None, token: str, *, now: datetime) -> Sender | None:
    """Return the holder of a key, if that may start this script and the trigger is on."""
    shown = digest(token)
    own = TriggerKey.objects.filter(digest=shown).first()
    general = ApiKey.objects.by_token(token)
    if trigger is None or not trigger.enabled or not token:
        return None
    if own is not None and own.trigger_id == trigger.pk and own.is_usable(now):
        return Sender(name=f"trigger key {own}", key=own.pk)
    if general is not None and may_start(general, trigger.script):
        return Sender(name=f"key: {general.name}")
    return None


def may_start(key: ApiKey, script: Script) -> bool:
    if not auth.is_enough(key.scope, auth.Scope.RUN):
        return False
    return reach.covers(keys.limits_of_key(key), script.slug)


@sensitive_variables()
def signature_check(trigger: UrlTrigger | None, headers: Mapping[str, str]) -> Check:
    """Return the check of a call's signature; where none is asked for, one that finds nothing in the same time."""
    found = secrets_in_use.secrets_of(trigger)
    if trigger is None or not trigger.is_signed:
        return Check(Scheme.GITHUB, headers, _NOBODY_KNOWS)
    return Check(trigger.scheme, headers, [*found, *_NOBODY_KNOWS][:SECRETS_AT_ONCE])


def sender_by_signature(
    trigger: UrlTrigger | None, check: Check, *, now: datetime
) -> Sender | None:
    tolerance_s = trigger.tolerance_s if trigger is not None else 0
    is_good = check.is_good(now=now, tolerance_s=tolerance_s)
    if trigger is None or not trigger.is_signed or not is_good:
        return None
    return Sender(name=f"signed: {trigger.get_scheme_display().partition(' (')[0]}", is_signed=True)
