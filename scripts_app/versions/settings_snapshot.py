"""The settings of a script as a version stores the settings, and the differences of two snapshots."""

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
    "one_at_a_time": "One run at a time",
    "parameters": "Declared inputs",
}


@dataclass(frozen=True, kw_only=True)
class SettingDifference:
    name: str
    before: str
    after: str


def snapshot_of(script: Script) -> dict[str, Any]:
    return {field: getattr(script, field) for field in (*LIMITS, *SWITCHES)}


def digest(settings: Mapping[str, Any]) -> str:
    """Return the SHA-256 of settings in any order."""
    text = json.dumps(settings, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def in_words(settings: Mapping[str, Any]) -> list[str]:
    known = (field for field in (*LIMITS, *SWITCHES) if field in settings)
    return [f"{_label(field)}: {_describe(field, settings[field])}" for field in known]


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[SettingDifference]:
    found = []
    for field in (*LIMITS, *SWITCHES):
        if field not in before or field not in after or before[field] == after[field]:
            continue
        difference = SettingDifference(
            name=_label(field),
            before=_describe(field, before[field]),
            after=_describe(field, after[field]),
        )
        found.append(difference)
    return found


def changed_since_version(script: Script) -> list[SettingDifference]:
    if script.version is None:
        return []
    return differences(script.version.settings, snapshot_of(script))


def has_other_settings(before: Version, after: Version) -> bool:
    """Whether the settings were changed between two versions, as far as both remember them."""
    is_known = bool(before.settings_hash and after.settings_hash)
    return is_known and before.settings_hash != after.settings_hash


def _label(field: str) -> str:
    if field in LIMITS:
        return LIMITS[field].label
    return SWITCHES[field]


def _describe(field: str, value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    limit = LIMITS.get(field)
    if limit is None:
        return json.dumps(value, ensure_ascii=False) if value else "none"
    if not value and limit.is_optional:
        return "no limit"
    return f"{value:,} {limit.unit}".rstrip()
