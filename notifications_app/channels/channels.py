"""Channels: checked and stored by the same verb for every door; put aside and taken back."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from notifications_app.channels import offered_services
from notifications_app.channels.addresses import AddressRefused, Policy
from notifications_app.models import MAX_ANSWER, Channel
from notifications_app.rules import book, rules
from scripts_app.validation import ScriptError, line
from scripts_app.variables.rotation import StoredSecret
from tempo_site.audit import trail
from tempo_site.lib import encryption, listener, zone
from tempo_site.lib.wire import standard_webhooks
from tempo_site.stored_settings import store

MAX_RECIPIENTS = 50
MAX_URL = 2000
MAIL_PER_HOUR = 20  # a free plan of SMTP2GO allows 25 before a domain is verified
MIN_SECRET, MAX_SECRET = 8, 200
ENCRYPTED = ("address", "secret", "old_secret")
FIELDS = (
    "name",
    "kind",
    "enabled",
    "to",
    "preset",
    "script",
    "follows_backups",
    "flavour",
    "every_s",
    "group_wait_s",
    "group_interval_s",
    "max_per_hour",
    "quiet_from",
    "quiet_until",
    "timezone",
    "weekly_report",
)


class InvalidChannel(ValueError):
    """A channel that cannot be saved: `field` names the field, str() the problem and the remedy."""

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field


@sensitive_variables("url", "secret")
def save(
    channel: Channel,
    changes: Mapping[str, Any],
    *,
    url: str = "",
    secret: str = "",
    gets_default_rule: bool = True,
) -> Channel:
    """Store a channel, new or known, with these changes of FIELDS. Raise ChannelError.

    An empty `url` or `secret` leaves the stored one. While there are no rules at all, it gets one for all scripts.
    """
    is_new = channel.pk is None
    if is_new and changes.get("kind") == Channel.Kind.MAIL:
        channel.max_per_hour = MAIL_PER_HOUR
    for name, value in changes.items():
        setattr(channel, name, value)
    _check(channel)
    if url:
        channel.shown_address = _shown(channel, url)
        channel.address = encryption.encrypt(url)
    _require_address(channel)
    if secret:
        channel.secret = encryption.encrypt(_checked_secret(secret))
    with transaction.atomic():
        channel.save()
        trail.record("created" if is_new else "changed", channel, changes=dict(changes))
        if gets_default_rule:
            rules.ensure_default(channel)
    return channel


def _require_address(channel: Channel) -> None:
    if channel.kind != Channel.Kind.MAIL and not channel.address:
        raise InvalidChannel("This kind of channel needs a URL", field="url")


@sensitive_variables()
def rotate_secret(channel: Channel) -> str:
    """Give a webhook a new secret and return it; the one of before signs beside it until `end_rotation`."""
    secret = standard_webhooks.new_secret()
    channel.old_secret = channel.secret
    channel.secret = encryption.encrypt(secret)
    with transaction.atomic():
        channel.save(update_fields=["secret", "old_secret", "updated_at"])
        trail.record("got a new secret", channel)
    return secret


def end_rotation(channel: Channel) -> None:
    channel.old_secret = ""
    with transaction.atomic():
        channel.save(update_fields=["old_secret", "updated_at"])
        trail.record("ended the old secret", channel)


def stored_secrets() -> Iterator[StoredSecret]:
    for channel in Channel.objects.all():
        for name in ENCRYPTED:
            if getattr(channel, name):
                yield StoredSecret(channel, name, f"{name} (channel {channel.name})")


def remove(channel: Channel) -> None:
    with transaction.atomic():
        trail.record("deleted", channel)
        channel.delete()


def suspend(channel: Channel, why: str, *, now: datetime) -> bool:
    """Put a channel aside: its receiver refuses it for good. Return False when it was aside already."""
    row = Channel.objects.filter(pk=channel.pk, suspended_at=None)
    has_changed = row.update(suspended_at=now, message=why[:MAX_ANSWER]) > 0
    book.forget()
    return has_changed


def resume(channel: Channel) -> None:
    """Take a channel back that was put aside, with all its recipients."""
    rows = Channel.objects.filter(pk=channel.pk)
    with transaction.atomic():
        rows.update(suspended_at=None, message="", suspended_recipients={})
        trail.record("resumed", channel)
    book.forget()


def _check(channel: Channel) -> None:
    try:
        channel.name = line(channel.name, field="name", limit=100)
        channel.to = _checked_recipients(channel)
        channel.clean_fields(exclude=["to", "address", "secret", "old_secret"])
    except ScriptError as error:
        raise InvalidChannel(str(error), field=error.field) from None
    except ValidationError as error:
        field, sentences = next(iter(error.message_dict.items()))
        raise InvalidChannel(" ".join(sentences), field=field) from None
    if Channel.objects.filter(name=channel.name).exclude(pk=channel.pk).exists():
        raise InvalidChannel(f"There is a channel `{channel.name}` already", field="name")
    if channel.script and channel.follows_backups:
        sentence = "A heartbeat follows a script or the backups"
        raise InvalidChannel(sentence, field="follows_backups")
    if channel.timezone and not zone.is_known(channel.timezone):
        raise InvalidChannel(
            f"There is no time zone `{channel.timezone}`\nhint: its name is like `Europe/Berlin`",
            field="timezone",
        )
    if (channel.quiet_from is None) != (channel.quiet_until is None):
        raise InvalidChannel("Quiet hours need a begin and an end", field="quiet_until")


def _checked_recipients(channel: Channel) -> list[str]:
    if channel.kind != Channel.Kind.MAIL:
        return []
    if not isinstance(channel.to, list) or not channel.to:
        raise InvalidChannel(
            "A mail channel needs recipients\nhint: a list of addresses", field="to"
        )
    if len(channel.to) > MAX_RECIPIENTS:
        raise InvalidChannel(f"{MAX_RECIPIENTS} recipients are the most", field="to")
    for address in channel.to:
        try:
            validate_email(address)
        except (ValidationError, TypeError):
            raise InvalidChannel(f"`{str(address)[:100]}` is no mail address", field="to") from None
    return list(dict.fromkeys(channel.to))


@sensitive_variables("url")
def _shown(channel: Channel, url: str) -> str:
    # The path of a webhook is as good as a password.
    if len(url) > MAX_URL:
        raise InvalidChannel(f"A URL of {MAX_URL:,} characters is the longest", field="url")
    try:
        if channel.kind == Channel.Kind.APPRISE:
            offered_services.check(url)
            return f"{offered_services.schema_of(url)}://…"
        allows_private = bool(store.value("PYSCHED_NOTIFY_PRIVATE"))
        policy = Policy(allows_private=allows_private, own_port=listener.port())
        policy.check_url(url)
    except (offered_services.ServiceRefused, AddressRefused) as error:
        raise InvalidChannel(str(error), field="url") from None
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}/…"


@sensitive_variables()
def _checked_secret(secret: str) -> str:
    if not secret.isprintable() or not MIN_SECRET <= len(secret) <= MAX_SECRET:
        raise InvalidChannel(
            f"A secret has {MIN_SECRET} to {MAX_SECRET} characters on one line\nhint: let Tempo make one",
            field="secret",
        )
    try:
        standard_webhooks.key_of_secret(secret)
    except ValueError:
        sentence = f"What follows `{standard_webhooks.SECRET_PREFIX}` in a secret is base64"
        raise InvalidChannel(sentence, field="secret") from None
    return secret
