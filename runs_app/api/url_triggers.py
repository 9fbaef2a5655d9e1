"""REST operations on URL triggers: how a script is started from outside, its keys, and its last calls."""

from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from ninja.responses import Status
from pydantic import BaseModel, ConfigDict, Field, SecretStr, StrictBool

from runs_app.api.common import router
from runs_app.url_triggers import call_log, trigger_keys, trigger_settings
from runs_app.url_triggers.models import TriggerCall, TriggerKey, UrlTrigger
from scripts_app import lookup
from tempo_site import auth
from tempo_site.lib import origins

TAGS = ["triggers"]


class TriggerIn(BaseModel):
    """Changes to a trigger; fields that are left out do not change. `rules` and `headers` are lines.

    `secret` is what a sender signs with; with `keep_older` the one of before is good beside it.
    """

    model_config = ConfigDict(extra="forbid")

    enabled: StrictBool = False
    get: StrictBool = False
    key_in_url: StrictBool = False
    scheme: UrlTrigger.Scheme = UrlTrigger.Scheme.NONE
    tolerance_s: int = Field(default=300, ge=1, le=3600, strict=True)
    headers: list[str] = Field(default=[], max_length=40)
    rules: list[str] = Field(default=[], max_length=20)
    secret: SecretStr = SecretStr("")
    keep_older: StrictBool = True


class TriggerKeyOut(BaseModel):
    """A key that opens the trigger now, without the key itself."""

    id: int
    prefix: str
    created_at: datetime
    created_by: str
    last_used_at: datetime | None
    expires_at: datetime | None


class TriggerOut(BaseModel):
    """A script's URL trigger. `get`: GET starts a run too; `key_in_url`: the key may stand in the address."""

    url: str
    enabled: bool
    get: bool
    key_in_url: bool
    scheme: str
    has_secret: bool
    has_older_secret: bool
    tolerance_s: int
    headers: list[str]
    rules: list[str]
    started: int
    ignored: int
    refused: int
    keys: list[TriggerKeyOut]


class NewTriggerKeyOut(BaseModel):
    """A new key: `key` is shown here and never again."""

    id: int
    key: str


class TriggerCallOut(BaseModel):
    """A call: `status` as it was answered, `reason` what became of it."""

    at: datetime
    status: int
    address: str
    sender: str
    reason: str
    run: int | None


class TriggerCallPage(BaseModel):
    """The last 50 calls, newest first."""

    items: list[TriggerCallOut]
    next_cursor: str | None


@router.get("/scripts/{slug:slug}/trigger", response=TriggerOut, tags=TAGS)
def read_trigger(request: HttpRequest, slug: str) -> TriggerOut:
    """Show a script's URL trigger; it is off until it is switched on."""
    call_log.store(now=timezone.now())
    return trigger_out(request, trigger_settings.trigger_of(lookup.script(slug)))


@router.put("/scripts/{slug:slug}/trigger", response=TriggerOut, tags=TAGS)
@sensitive_variables()
def change_trigger(request: HttpRequest, slug: str, data: TriggerIn) -> TriggerOut:
    """Change a script's URL trigger."""
    script = lookup.script(slug)
    given = data.model_dump(exclude_unset=True)
    secret = data.secret.get_secret_value()
    if secret:
        trigger_settings.check_secret(secret)
    trigger = trigger_settings.update(script, changes_of(given))
    if secret:
        trigger = trigger_settings.set_secret(script, secret, keeps_older=data.keep_older)
    return trigger_out(request, trigger)


@router.get("/scripts/{slug:slug}/trigger/calls", response=TriggerCallPage, tags=TAGS)
def list_trigger_calls(request: HttpRequest, slug: str) -> TriggerCallPage:
    """List the last calls of a trigger, the refused ones too."""
    call_log.store(now=timezone.now())
    trigger = trigger_settings.trigger_of(lookup.script(slug))
    rows = trigger.calls.all() if trigger.pk else []
    return TriggerCallPage.model_construct(items=[call_out(row) for row in rows], next_cursor=None)


@router.post("/scripts/{slug:slug}/trigger/keys", response={201: NewTriggerKeyOut}, tags=TAGS)
@sensitive_variables()
def create_trigger_key(request: auth.AuthenticatedRequest, slug: str) -> Status[NewTriggerKeyOut]:
    """Make a key that starts this script and does nothing else."""
    trigger = trigger_settings.stored_trigger(lookup.script(slug))
    key, token = trigger_keys.issue(trigger, by=request.auth.name, now=timezone.now())
    return Status(201, NewTriggerKeyOut(id=key.pk, key=token))


@router.post("/scripts/{slug:slug}/trigger-key", response={201: NewTriggerKeyOut}, tags=TAGS)
@sensitive_variables()
def rotate_trigger_key(request: auth.AuthenticatedRequest, slug: str) -> Status[NewTriggerKeyOut]:
    """Make a key in place of those there are: these end in 24 hours."""
    trigger = trigger_settings.stored_trigger(lookup.script(slug))
    key, token = trigger_keys.rotate(trigger, by=request.auth.name, now=timezone.now())
    return Status(201, NewTriggerKeyOut(id=key.pk, key=token))


@router.delete("/scripts/{slug:slug}/trigger/keys/{int:key_id}", response={204: None}, tags=TAGS)
def revoke_trigger_key(request: HttpRequest, slug: str, key_id: int) -> Status[None]:
    """End a key at once."""
    trigger = trigger_settings.trigger_of(lookup.script(slug))
    key = TriggerKey.objects.filter(trigger=trigger.pk, pk=key_id).first()
    if key is None or not trigger_keys.revoke(key, now=timezone.now()):
        raise Http404(f"There is no key {key_id} of this trigger.")
    return Status(204, None)


def changes_of(given: dict[str, Any]) -> dict[str, Any]:
    """Return the changes as the verb takes them: the wire has shorter names, and lists of lines."""
    changes: dict[str, Any] = {}
    for name in ("enabled", "scheme", "tolerance_s"):
        if name in given:
            changes[name] = given[name]
    for name, field in (("get", "allow_get"), ("key_in_url", "allow_query_key")):
        if name in given:
            changes[field] = given[name]
    for name in ("headers", "rules"):
        if name in given:
            changes[name] = "\n".join(given[name])
    return changes


def trigger_out(request: HttpRequest, trigger: UrlTrigger) -> TriggerOut:
    keys = trigger.keys.usable(timezone.now()) if trigger.pk else []
    return TriggerOut.model_construct(
        url=origins.absolute(request, reverse("url-trigger", args=[trigger.script.slug])),
        enabled=trigger.enabled,
        get=trigger.allow_get,
        key_in_url=trigger.allow_query_key,
        scheme=str(trigger.scheme),
        has_secret=bool(trigger.secret),
        has_older_secret=bool(trigger.older_secret),
        tolerance_s=trigger.tolerance_s,
        headers=trigger.headers.splitlines(),
        rules=trigger.rules.splitlines(),
        started=trigger.started,
        ignored=trigger.ignored,
        refused=trigger.refused,
        keys=[key_out(key) for key in keys],
    )


def key_out(key: TriggerKey) -> TriggerKeyOut:
    return TriggerKeyOut.model_construct(
        id=key.pk,
        prefix=key.prefix,
        created_at=key.created_at,
        created_by=key.created_by,
        last_used_at=key.last_used_at,
        expires_at=key.expires_at,
    )


def call_out(call: TriggerCall) -> TriggerCallOut:
    return TriggerCallOut.model_construct(
        at=call.at,
        status=call.status,
        address=call.address,
        sender=call.sender,
        reason=call.reason,
        run=call.run,
    )
