"""Calls of a trigger in the test's own process."""

import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any

from django.test import Client

from runs_app.url_triggers import call_log, trigger_keys, trigger_settings
from runs_app.url_triggers.models import TriggerCall, UrlTrigger
from scripts_app.models import Script

SECRET = "It's a Secret to Everybody"
NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)


def switched_on(script: Script, **changes: Any) -> UrlTrigger:
    """The script's trigger, on; with a scheme its secret is set."""
    if changes.get("scheme"):
        trigger_settings.set_secret(script, SECRET, keeps_older=True)
    return trigger_settings.update(script, {"enabled": True, **changes})


def new_key(trigger: UrlTrigger) -> str:
    _, token = trigger_keys.issue(trigger, by="ann", now=NOW)
    return token


def call(
    slug: str,
    *,
    key: str = "",
    method: str = "POST",
    body: bytes | str = b"",
    kind: str = "application/json",
    query: str = "",
    client: Client | None = None,
    **headers: Any,
) -> Any:
    """Call the trigger at this slug; `X_Name="..."` is a header."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if key:
        sent["Authorization"] = f"Bearer {key}"
    address = f"/trigger/{slug}{query}"
    client = client or Client(headers={"host": "localhost"}, enforce_csrf_checks=True)
    return client.generic(method, address, body, kind, headers=sent)


def signed(slug: str, body: bytes, *, secret: str = SECRET, **headers: Any) -> Any:
    """Call as GitHub does."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return call(slug, body=body, X_Hub_Signature_256=f"sha256={digest}", **headers)


def noted(trigger: UrlTrigger) -> list[TriggerCall]:
    """The calls as the page of the script shows them, newest first."""
    call_log.store(now=NOW)
    return list(trigger.calls.all())
