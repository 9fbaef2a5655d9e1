"""A script's settings as one value: what a version remembers of them, and how two of them differ."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scripts_app.limits import LIMITS
from scripts_app.models import Script, Version

SWITCHES = {
    "as_service_user": "Run as Tempo's own user",
    "allow_source": "Allow building from source",
    "parameters": "Declared inputs",
}


@dataclass(frozen=True, kw_only=True)
class SettingDifference:
    """A thing that was one way before and is another way after, in words for people."""

    name: str
    before: str
    after: str


def snapshot_of(script: Script) -> dict[str, Any]:
    """Return the limits and the switches that decide how a script's text is run, as they are stored."""
    return {field: getattr(script, field) for field in (*LIMITS, *SWITCHES)}


def digest(settings: Mapping[str, Any]) -> str:
    """Return the SHA-256 of settings, whatever their order."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[SettingDifference]:
    """Return what differs, limits first; a setting that one of them does not know is left out."""
    known = [field for field in (*LIMITS, *SWITCHES) if field in before and field in after]
    return [
        SettingDifference(
            name=_label(field),
            before=_words(field, before[field]),
            after=_words(field, after[field]),
        )
        for field in known
        if before[field] != after[field]
    ]


def changed_since_version(script: Script) -> list[SettingDifference]:
    """Return what was changed in the settings since the current version was saved."""
    if script.version is None:
        return []
    return differences(script.version.settings, snapshot_of(script))


def has_other_settings(before: Version, after: Version) -> bool:
    """Whether the settings were changed between two versions, as far as both remember them."""
    is_known = bool(before.settings_hash and after.settings_hash)
    return is_known and before.settings_hash != after.settings_hash


def _label(field: str) -> str:
    return LIMITS[field].label if field in LIMITS else SWITCHES[field]


def _words(field: str, value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if limit := LIMITS.get(field):
        return f"{value:,} {limit.unit}".rstrip() if value or not limit.is_optional else "no limit"
    return json.dumps(value, ensure_ascii=False) if value else "none"
