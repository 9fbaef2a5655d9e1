"""What the child that sends gets of a channel: plain addresses and secrets, in memory only."""

from collections.abc import Iterable, Mapping, Sequence
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
MAIL_SECRETS = ("SMTP_PASSWORD", "PYSCHED_EMAIL_API_KEY")
PlainTexts = Mapping[str, str | None]  # by what is stored encrypted; None where no key decrypts it


class TargetUnreadable(Exception):
    """A channel whose address or secret no known key decrypts."""


@sensitive_variables()
def decrypted(channels: Iterable[Channel]) -> PlainTexts:
    """Return what letters to these channels need, decrypted at one go."""
    texts: list[str] = []
    for channel in channels:
        texts += [channel.address, channel.secret, channel.old_secret]
        if channel.kind == Channel.Kind.MAIL:
            texts += [store.encrypted(name) for name in MAIL_SECRETS]
    return encryption.decrypt_all(filter(None, texts))


@sensitive_variables()
def target_of(
    channel: Channel, recipients: Sequence[str] = (), *, plain: PlainTexts | None = None
) -> dict[str, Any]:
    """Return the `target` of a letter to a channel, by `plain` of several channels if given. Raise TargetUnreadable."""
    if plain is None:
        plain = decrypted([channel])
    if channel.kind == Channel.Kind.MAIL:
        return {**_mail_settings(plain), "to": list(recipients) or channel.recipients}
    url = _plain(channel.address, plain)
    if channel.kind == Channel.Kind.WEBHOOK:
        stored = [secret for secret in (channel.secret, channel.old_secret) if secret]
        return {"url": url, "secrets": [_plain(secret, plain) for secret in stored]}
    if channel.kind == Channel.Kind.HEARTBEAT:
        return {"url": url, "flavour": channel.flavour}
    return {"url": url}


def has_mail() -> bool:
    has_way = store.value("SMTP_SERVER") or store.value("PYSCHED_EMAIL_PROVIDER")
    return bool(has_way and store.value("FROM_EMAIL"))


@sensitive_variables()
def _mail_settings(plain: PlainTexts) -> dict[str, Any]:
    # As environment and pages have set them.
    found = {}
    for key, name in MAIL_SETTINGS.items():
        encrypted = store.encrypted(name)
        found[key] = (
            _plain(encrypted, plain, UNREADABLE_SETTING) if encrypted else store.value(name)
        )
    return found


@sensitive_variables()
def _plain(text: str, plain: PlainTexts, sentence: str = UNREADABLE) -> str:
    found = plain.get(text)
    if found is None:
        raise TargetUnreadable(sentence)
    return found
