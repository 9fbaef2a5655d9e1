"""The secrets of signatures in plain text, for this process: read when the first call comes, not for each one."""

import threading
from collections.abc import Iterator

from django.views.decorators.debug import sensitive_variables

from runs_app.url_triggers.models import UrlTrigger
from scripts_app.variables.rotation import StoredSecret
from tempo_site.lib import encryption

ENCRYPTED = ("secret", "older_secret")

_lock = threading.Lock()
_plain: dict[str, str | None] | None = None  # by what is stored; None: no call has come yet


@sensitive_variables()
def secrets_of(trigger: UrlTrigger | None) -> list[str]:
    """Return the secrets that can be decrypted, at most two.

    The first call reads those of all triggers, whichever it names: so the time tells nothing of any of them.
    """
    stored = _stored(trigger)
    known = _plain
    if known is None or not known.keys() >= set(stored):
        known = _read_all()
    return [plain for text in stored if (plain := known.get(text))]


def is_one_unreadable(trigger: UrlTrigger) -> bool:
    """Whether no known key decrypts a secret: then it has to be set again."""
    return len(secrets_of(trigger)) < len(_stored(trigger))


def _stored(trigger: UrlTrigger | None) -> list[str]:
    if trigger is None:
        return []
    return [text for text in (trigger.secret, trigger.older_secret) if text]


@sensitive_variables()
def _read_all() -> dict[str, str | None]:
    global _plain
    with _lock:
        rows = UrlTrigger.objects.exclude(secret="").values_list("secret", "older_secret")
        texts = [text for row in rows for text in row if text]
        _plain = encryption.decrypt_all(texts)
        return _plain


def stored_secrets() -> Iterator[StoredSecret]:
    for trigger in UrlTrigger.objects.exclude(secret="").select_related("script"):
        for name in ENCRYPTED:
            if getattr(trigger, name):
                words = f"{name} (URL trigger of {trigger.script.slug})"
                yield StoredSecret(trigger, name, words)
