"""What the child that sends gets of a channel: plain addresses and secrets, in memory only."""

from collections.abc import Sequence
from typing import Any

from django.views.decorators.debug import sensitive_variables

from notifications_app.models import Channel
from tempo_site.lib import encryption
from tempo_site.stored_settings import store

UNREADABLE = (
    "Its address cannot be decrypted: it was encrypted with another secret key.\nhint: set it again"
)
UNREADABLE_SETTING = (
    "The password of the mail settings cannot be decrypted: it was encrypted with another secret key.\n"
    "hint: set it again"
)
MAIL_SETTINGS = {
    "server": "SMTP_SERVER",
    "port": "SMTP_PORT",
    "security": "SMTP_SECURITY",
    "username": "SMTP_USERNAME",
    "password": "SMTP_PASSWORD",
    "from_email": "FROM_EMAIL",
    "provider": "PYSCHED_EMAIL_PROVIDER",
    "api_key": "PYSCHED_EMAIL_API_KEY",
}


class TargetUnreadable(Exception):
    """A channel whose address or secret no known key decrypts."""


@sensitive_variables()
def target_of(channel: Channel, recipients: Sequence[str] = ()) -> dict[str, Any]:
    """Return the `target` of a letter to a channel. Raise TargetUnreadable."""
    if channel.kind == Channel.Kind.MAIL:
        return {**mail_settings(), "to": list(recipients) or channel.recipients}
    url = _decrypted(channel.address)
    if channel.kind == Channel.Kind.WEBHOOK:
        stored = [secret for secret in (channel.secret, channel.old_secret) if secret]
        return {"url": url, "secrets": [_decrypted(secret) for secret in stored]}
    if channel.kind == Channel.Kind.HEARTBEAT:
        return {"url": url, "flavour": channel.flavour}
    return {"url": url}


@sensitive_variables()
def mail_settings() -> dict[str, Any]:
    """Return how mail is sent, as environment and pages have set it. Raise TargetUnreadable."""
    try:
        return {key: store.value(name) for key, name in MAIL_SETTINGS.items()}
    except encryption.DecryptionError as error:
        raise TargetUnreadable(UNREADABLE_SETTING) from error


def has_mail() -> bool:
    has_way = store.value("SMTP_SERVER") or store.value("PYSCHED_EMAIL_PROVIDER")
    return bool(has_way and store.value("FROM_EMAIL"))


@sensitive_variables()
def _decrypted(text: str) -> str:
    try:
        return encryption.decrypt(text)
    except encryption.DecryptionError as error:
        raise TargetUnreadable(UNREADABLE) from error
