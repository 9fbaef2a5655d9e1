"""What the child that sends gets of a channel: plain addresses and secrets, in memory only."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.views.decorators.debug import sensitive_variables

from notifications_app.models import Channel
from scripts_app.variables import encryption

UNREADABLE = (
    "Its address cannot be decrypted: it was encrypted with another secret key.\nhint: set it again"
)


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
    """Return how mail is sent, as the operator has set it."""
    return {
        "server": getattr(settings, "SMTP_SERVER", ""),
        "port": getattr(settings, "SMTP_PORT", 587),
        "security": getattr(settings, "SMTP_SECURITY", "auto"),
        "username": getattr(settings, "SMTP_USERNAME", ""),
        "password": getattr(settings, "SMTP_PASSWORD", ""),
        "from_email": getattr(settings, "FROM_EMAIL", ""),
        "provider": getattr(settings, "EMAIL_PROVIDER", ""),
        "api_key": getattr(settings, "EMAIL_API_KEY", ""),
    }


def has_mail() -> bool:
    found = mail_settings()
    return bool(found["from_email"] and (found["server"] or found["provider"]))


@sensitive_variables()
def _decrypted(text: str) -> str:
    try:
        return encryption.decrypt(text)
    except encryption.DecryptionError as error:
        raise TargetUnreadable(UNREADABLE) from error
