"""How a script's trigger is set up: the same verbs for its page, the admin and the API."""

import secrets as random_secrets
from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from runs_app.url_triggers import contents, filter_rules, secrets_in_use
from runs_app.url_triggers.models import UrlTrigger
from scripts_app.models import Script
from scripts_app.validation import ScriptError
from tempo_site.audit import trail
from tempo_site.lib import encryption
from tempo_site.lib.wire import standard_webhooks

Scheme = UrlTrigger.Scheme

FIELDS = ("enabled", "allow_get", "allow_query_key", "scheme", "tolerance_s", "headers", "rules")
MIN_SECRET, MAX_SECRET = 8, 200
SECRET_BYTES = 32
MAX_TEXT = 10_000


def trigger_of(script: Script) -> UrlTrigger:
    """Return a script's trigger; one that is off and not stored where it has none."""
    found = UrlTrigger.objects.filter(script=script).first()
    return found or UrlTrigger(script=script)


def stored_trigger(script: Script) -> UrlTrigger:
    trigger, _ = UrlTrigger.objects.get_or_create(script=script)
    return trigger


def update(script: Script, changes: Mapping[str, Any]) -> UrlTrigger:
    """Change a trigger; other fields stay. Raise ScriptError for values that cannot be."""
    unknown = changes.keys() - set(FIELDS)
    if unknown:
        raise ScriptError(f"`{min(unknown)}` is no field of a trigger", field=min(unknown))
    with transaction.atomic():
        trigger = stored_trigger(script)
        before = trail.facts(trigger, changes)
        for name, value in changes.items():
            setattr(trigger, name, value)
        check(trigger)
        trigger.save(update_fields=list(changes))
        differences = trail.differences(before, trail.facts(trigger, changes))
        trail.record("changed", trigger, name=f"of {script.slug}", changes=differences)
    return trigger


def check(trigger: UrlTrigger) -> None:
    """Raise ScriptError for values that no trigger can have."""
    if trigger.scheme not in Scheme.values:
        schemes = ", ".join(f"`{name}`" for name in Scheme.values if name)
        raise ScriptError(f"`scheme` is one of {schemes}, or empty", field="scheme")
    if not 1 <= trigger.tolerance_s <= 3600:
        raise ScriptError("`tolerance_s` is a number from 1 to 3600", field="tolerance_s")
    for name in ("headers", "rules"):
        text = getattr(trigger, name)
        if len(text) > MAX_TEXT or "\0" in text:
            sentence = f"`{name}` is text of at most {MAX_TEXT:,} characters"
            raise ScriptError(sentence, field=name)
    contents.header_names(trigger.headers)
    filter_rules.parse(trigger.rules)


@sensitive_variables()
def set_secret(script: Script, secret: str, *, keeps_older: bool) -> UrlTrigger:
    """Set what the sender signs with; with `keeps_older` the one of before is good until `end_rotation`.

    Raise ScriptError.
    """
    check_secret(secret)
    encrypted = encryption.encrypt(secret)
    with transaction.atomic():
        trigger = stored_trigger(script)
        trigger.older_secret = trigger.secret if keeps_older else ""
        trigger.secret = encrypted
        trigger.save(update_fields=list(secrets_in_use.ENCRYPTED))
        trail.record("set the secret of", trigger, name=f"of {script.slug}")
    return trigger


def new_secret(scheme: str) -> str:
    """Return a secret to be given to a sender that takes one."""
    if scheme == Scheme.STANDARD:
        return standard_webhooks.new_secret()
    return random_secrets.token_urlsafe(SECRET_BYTES)


def end_rotation(script: Script) -> None:
    with transaction.atomic():
        if UrlTrigger.objects.filter(script=script).update(older_secret=""):
            trigger = stored_trigger(script)
            trail.record("ended the older secret of", trigger, name=f"of {script.slug}")


@sensitive_variables()
def check_secret(secret: str) -> None:
    """Raise ScriptError where this can be no secret of any scheme."""
    if not secret.isprintable() or not MIN_SECRET <= len(secret) <= MAX_SECRET:
        sentence = f"A secret has {MIN_SECRET} to {MAX_SECRET} characters on one line"
        raise ScriptError(sentence, field="secret")
    try:
        standard_webhooks.key_of_secret(secret)
    except ValueError as error:
        raise ScriptError(f"The secret is not valid: {error}", field="secret") from None
