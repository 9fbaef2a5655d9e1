"""API keys: made, changed, rotated and revoked here, for every door alike."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from django.views.decorators.debug import sensitive_variables

from tempo_site.accounts import tokens
from tempo_site.audit import trail
from tempo_site.models import PREFIX_LENGTH, ApiKey, digest

MAX_NAMED = 100  # scripts and folders that a key is limited to
LONGEST_OVERLAP_H = 30 * 24
AUDITED = ("name", "scope", "expires_at", "is_limited", "script_ids", "folder_ids")


class KeyRefused(ValueError):
    """A key that cannot be made or changed: `field` names the field, str() says why and what to do."""

    def __init__(self, sentence: str, *, field: str) -> None:
        super().__init__(sentence)
        self.field = field


@dataclass(frozen=True, kw_only=True)
class KeyLimits:
    """The scripts, and folders with all below them, that a limited key sees: nothing else, also when both are empty."""

    scripts: frozenset[int] = frozenset()
    folders: frozenset[int] = frozenset()


def limits_of_key(key: ApiKey) -> KeyLimits | None:
    """Return what a key is limited to; None for a key that is not limited."""
    if not key.is_limited:
        return None
    return KeyLimits(scripts=frozenset(key.script_ids), folders=frozenset(key.folder_ids))


def create(
    *,
    name: str,
    scope: str,
    now: datetime,
    limits: KeyLimits | None = None,
    expires_at: datetime | None = None,
    by: User | None = None,
) -> tuple[ApiKey, str]:
    """Make a key, and return it with its token, which is shown once. Raise KeyRefused, ValidationError."""
    _check_expiry(expires_at, now)
    with transaction.atomic():
        key, token = ApiKey.issue(
            name=name, scope=scope, expires_at=expires_at, created_by=by, **_columns(limits)
        )
        trail.record("created", key, changes=trail.facts(key, AUDITED))
    return key, token


def change(key: ApiKey, *, now: datetime, **changes: Any) -> ApiKey:
    """Change name, scope, `expires_at` or `limits` of a key. Raise KeyRefused, ValidationError."""
    if "expires_at" in changes:
        _check_expiry(changes["expires_at"], now)
    if "limits" in changes:
        changes |= _columns(changes.pop("limits"))
    before = trail.facts(key, AUDITED)
    for name, value in changes.items():
        setattr(key, name, value)
    key.full_clean()
    with transaction.atomic():
        key.save(update_fields=list(changes))
        trail.record("changed", key, changes=trail.differences(before, trail.facts(key, AUDITED)))
    return key


@sensitive_variables()
def rotate(key: ApiKey, *, overlap: timedelta, now: datetime) -> str:
    """Give a key a new token and return it; the one of before opens the key until the overlap is over."""
    if not timedelta(0) <= overlap <= timedelta(hours=LONGEST_OVERLAP_H):
        raise KeyRefused(
            f"The overlap is 0 to {LONGEST_OVERLAP_H} hours, in which both tokens hold.",
            field="overlap_hours",
        )
    token = tokens.make_token()
    with transaction.atomic():
        key.old_digest = key.digest if overlap else ""
        key.old_until = now + overlap if overlap else None
        key.digest = digest(token)
        key.prefix = token[: PREFIX_LENGTH + 6]
        key.save(update_fields=["old_digest", "old_until", "digest", "prefix"])
        trail.record("rotated", key, changes={"old_until": key.old_until})
    return token


def revoke(key: ApiKey) -> None:
    """Delete a key: whoever shows it is refused from now on."""
    with transaction.atomic():
        trail.record("revoked", key, changes=trail.facts(key, AUDITED))
        key.delete()


def named(text: str) -> ApiKey:
    """Return the key with this number, name or whole token. Raise KeyRefused where there is none, or more than one."""
    found = ApiKey.objects.filter(
        Q(name=text) | Q(digest=digest(text)) | Q(old_digest=digest(text))
    )
    if text.isascii() and text.isdecimal() and len(text) < 19:
        found = found | ApiKey.objects.filter(pk=int(text))
    rows = list(found[:2])
    if len(rows) > 1:
        sentence = (
            f"More than one key is `{text[:100]}`.\nhint: use the number that `listkeys` shows"
        )
        raise KeyRefused(sentence, field="key")
    if rows:
        return rows[0]
    if text.startswith(tokens.KEY_PREFIX) and not tokens.is_well_formed(text):
        raise KeyRefused("This token is mistyped, or not whole.", field="key")
    raise KeyRefused("There is no such key.\nhint: `listkeys` shows all", field="key")


def _check_expiry(expires_at: datetime | None, now: datetime) -> None:
    if expires_at is not None and expires_at <= now:
        sentence = "The key would have expired already.\nhint: name a time to come"
        raise KeyRefused(sentence, field="expires_at")


def _columns(limits: KeyLimits | None) -> dict[str, Any]:
    if limits is None:
        return {"is_limited": False, "script_ids": [], "folder_ids": []}
    if len(limits.scripts) + len(limits.folders) > MAX_NAMED:
        sentence = (
            f"A key is limited to {MAX_NAMED} scripts and folders at most.\nhint: use a folder"
        )
        raise KeyRefused(sentence, field="scripts")
    return {
        "is_limited": True,
        "script_ids": sorted(limits.scripts),
        "folder_ids": sorted(limits.folders),
    }
