"""REST operations on channels; addresses and secrets are taken and never given, but for a new secret, once."""

from datetime import datetime, time
from typing import Any, Literal

from django.http import Http404, HttpResponse
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from ninja.responses import Status
from pydantic import BaseModel, ConfigDict, SecretStr, StrictBool

from notifications_app import lookup
from notifications_app.api.common import changes_of, require_staff, router
from notifications_app.channels import channels, presets
from notifications_app.channels.channels import InvalidChannel
from notifications_app.channels.presets import FieldRefused
from notifications_app.delivery import trial
from notifications_app.models import Channel
from scripts_app import lookup as scripts_lookup
from tempo_site import auth
from tempo_site.lib import origins
from tempo_site.web.api_types import (
    Cursor,
    Limit,
    Number,
    cursor_after,
    number_of,
    without_defaults,
)

KindName = Literal["mail", "webhook", "apprise", "heartbeat"]
APART = ("url", "secret", "parts")  # fields of a body that the verb takes by themselves


class ChannelPatch(BaseModel):
    """Changes of a channel. `to`: mail addresses. `url`: of a webhook, a heartbeat, or as apprise writes it; or a
    `preset` with its `parts` (`{"server": ..., "topic": ...}`). `secret`: `whsec_...` of a webhook. `script`: whose
    runs a heartbeat follows, null: Tempo itself, or with `follows_backups` its backups.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra=without_defaults)

    name: str = ""
    enabled: StrictBool = True
    to: list[str] = []
    url: SecretStr = SecretStr("")
    secret: SecretStr = SecretStr("")
    preset: str = ""
    parts: dict[str, SecretStr] = {}
    script: str | None = None
    follows_backups: StrictBool = False
    flavour: Literal["healthchecks", "uptime_kuma"] = "healthchecks"
    every_s: Number = 60
    group_wait_s: Number = 30
    group_interval_s: Number = 300
    max_per_hour: Number = 0
    quiet_from: time | None = None
    quiet_until: time | None = None
    timezone: str = ""
    weekly_report: StrictBool = False


class ChannelIn(ChannelPatch):
    """A new channel."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=None)

    name: str
    kind: KindName


class ChannelOut(BaseModel):
    """A channel. `address`: what may be shown of its URL. `suspended_at`: since when it is put aside, `message` why."""

    id: int
    name: str
    kind: str
    enabled: bool
    to: list[str]
    address: str
    preset: str
    script: str | None
    follows_backups: bool
    flavour: str
    every_s: int
    group_wait_s: int
    group_interval_s: int
    max_per_hour: int
    quiet_from: time | None
    quiet_until: time | None
    timezone: str
    weekly_report: bool
    last_answer_at: datetime | None
    last_outcome: str
    last_answer: str
    suspended_at: datetime | None
    message: str
    suspended_recipients: dict[str, str]
    created_at: datetime
    updated_at: datetime


class NewChannelOut(ChannelOut):
    """A new channel. `secret`: the one that Tempo made for a webhook, shown this once; else empty."""

    secret: str


class ChannelPage(BaseModel):
    """Channels, oldest first."""

    items: list[ChannelOut]
    next_cursor: str | None


class SecretOut(BaseModel):
    """A new secret, shown this once."""

    secret: str


class TrialOut(BaseModel):
    """What became of a test. `outcome`: `sent`, `retry`, `refused` or `gone`; `answer`: the receiver's own words."""

    outcome: str
    answer: str
    status: int | None
    duration_ms: int
    recipients: dict[str, dict[str, str]]


@router.get("/channels", response=ChannelPage)
def list_channels(request: auth.AuthenticatedRequest, limit: Limit, cursor: Cursor) -> ChannelPage:
    """List channels."""
    require_staff(request)
    later = Channel.objects.filter(pk__gt=number_of(cursor) or 0).select_related("script")
    rows = list(later.order_by("pk")[: limit + 1])
    items = [ChannelOut.model_construct(**fields_of(row)) for row in rows[:limit]]
    return ChannelPage.model_construct(items=items, next_cursor=cursor_after(rows, limit))


@router.post("/channels", response={201: NewChannelOut})
@sensitive_variables()
def create_channel(
    request: auth.AuthenticatedRequest, response: HttpResponse, data: ChannelIn
) -> Status[NewChannelOut]:
    """Make a channel. The first one gets a rule for all scripts: failed, recovered, did not run."""
    require_staff(request)
    channel = store(Channel(kind=data.kind), data)
    secret = ""
    if channel.kind == Channel.Kind.WEBHOOK and not channel.secret:
        secret = channels.rotate_secret(channel)
    made = NewChannelOut.model_construct(**fields_of(channel), secret=secret)
    response.headers["Location"] = origins.with_base(f"/api/v1/channels/{channel.pk}")
    return Status(201, made)


@router.get("/channels/{int:channel_id}", response=ChannelOut)
def read_channel(request: auth.AuthenticatedRequest, channel_id: int) -> ChannelOut:
    """Show a channel."""
    require_staff(request)
    return ChannelOut.model_construct(**fields_of(lookup.channel(channel_id)))


@router.patch("/channels/{int:channel_id}", response=ChannelOut)
@sensitive_variables()
def change_channel(
    request: auth.AuthenticatedRequest, channel_id: int, data: ChannelPatch
) -> ChannelOut:
    """Change a channel."""
    require_staff(request)
    return ChannelOut.model_construct(**fields_of(store(lookup.channel(channel_id), data)))


@router.delete("/channels/{int:channel_id}", response={204: None})
def delete_channel(request: auth.AuthenticatedRequest, channel_id: int) -> Status[None]:
    """Delete a channel with its rules and deliveries."""
    require_staff(request)
    channels.remove(lookup.channel(channel_id))
    return Status(204, None)


@router.post("/channels/{int:channel_id}/test", response=TrialOut)
def try_channel(request: auth.AuthenticatedRequest, channel_id: int) -> TrialOut:
    """Send a test message: at once, tried once, for at most 20 s."""
    require_staff(request)
    answer = trial.send_test(lookup.channel(channel_id), now=timezone.now())
    return TrialOut.model_construct(
        outcome=answer.outcome,
        answer=answer.answer,
        status=answer.status,
        duration_ms=answer.duration_ms,
        recipients=answer.recipients,
    )


@router.post("/channels/{int:channel_id}/resume", response=ChannelOut)
def resume_channel(request: auth.AuthenticatedRequest, channel_id: int) -> ChannelOut:
    """Use a channel again that was put aside, and recipients that were left out."""
    require_staff(request)
    channels.resume(lookup.channel(channel_id))
    return ChannelOut.model_construct(**fields_of(lookup.channel(channel_id)))


@router.post("/channels/{int:channel_id}/secret", response=SecretOut)
def rotate_secret(request: auth.AuthenticatedRequest, channel_id: int) -> SecretOut:
    """Make a new secret for a webhook; the one of before signs beside it until it is ended."""
    require_staff(request)
    return SecretOut(secret=channels.rotate_secret(webhook(channel_id)))


@router.delete("/channels/{int:channel_id}/secret", response={204: None})
def end_old_secret(request: auth.AuthenticatedRequest, channel_id: int) -> Status[None]:
    """End the secret of before: only the new one signs."""
    require_staff(request)
    channels.end_rotation(webhook(channel_id))
    return Status(204, None)


def webhook(channel_id: int) -> Channel:
    channel = lookup.channel(channel_id)
    if channel.kind != Channel.Kind.WEBHOOK:
        raise InvalidChannel("Only a webhook has a secret", field="kind")
    return channel


@sensitive_variables()
def store(channel: Channel, data: ChannelPatch) -> Channel:
    changes = changes_of(data)
    for name in APART:
        changes.pop(name, None)
    if changes.get("script") is not None:
        changes["script"] = script_of(changes["script"])
    url = data.url.get_secret_value() or url_of_parts(data, changes.get("preset", channel.preset))
    return channels.save(channel, changes, url=url, secret=data.secret.get_secret_value())


def script_of(slug: str) -> Any:
    try:
        return scripts_lookup.script(slug)
    except Http404 as error:
        raise InvalidChannel(str(error), field="script") from None


@sensitive_variables()
def url_of_parts(data: ChannelPatch, name: str) -> str:
    if not data.parts:
        return ""
    preset = presets.BY_NAME.get(name)
    if preset is None:
        known = ", ".join(presets.BY_NAME)
        raise InvalidChannel(f"There is no preset `{name[:40]}`\nhint: {known}", field="preset")
    try:
        return preset.url({name: part.get_secret_value() for name, part in data.parts.items()})
    except FieldRefused as refusal:
        raise InvalidChannel(str(refusal), field=f"parts.{refusal.field}") from None


def fields_of(channel: Channel) -> dict[str, Any]:
    fields: dict[str, Any] = {
        name: getattr(channel, name) for name in ChannelOut.model_fields if hasattr(channel, name)
    }
    fields["id"] = channel.pk
    fields["address"] = channel.shown_address
    fields["script"] = channel.script.slug if channel.script else None
    return fields
