"""The values of settings: read from memory, saved with who and when, secrets encrypted."""

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from tempo_site.audit import trail
from tempo_site.lib import encryption
from tempo_site.models import Setting
from tempo_site.stored_settings import fields
from tempo_site.stored_settings.fields import Section, SettingField, SettingRefused, Value
from tempo_site.stored_settings.registry import FIELDS

logger = logging.getLogger(__name__)

MAX_NAME = 80


class SettingRows:
    """The rows of the table by name, read when they are asked for; a secret is encrypted here as well."""

    def __init__(self) -> None:
        self._rows: dict[str, Setting] | None = None
        # Held while the table is read: what was read before a change is forgotten behind it.
        self._lock = threading.Lock()

    def rows(self) -> dict[str, Setting]:
        known = self._rows
        if known is not None:
            return known
        with self._lock:
            if self._rows is None:
                self._rows = {row.name: row for row in Setting.objects.all()}
            return self._rows

    def forget(self) -> None:
        with self._lock:
            self._rows = None


memory = SettingRows()


class Source(StrEnum):
    ENVIRONMENT = "environment"
    STORED = "stored"
    DEFAULT = "default"


@dataclass(frozen=True, kw_only=True)
class Current:
    """A setting as pages and API show it; the value of a secret is "" here, and `is_set` tells whether there is one."""

    field: SettingField
    value: Value
    source: Source
    is_set: bool
    updated_at: datetime | None = None
    updated_by: str = ""

    @property
    def is_editable(self) -> bool:
        return self.field.is_editable and self.source != Source.ENVIRONMENT


def value(name: str) -> Value:
    """Return the value that holds now; costs no query but for the first. Raise DecryptionError for a secret."""
    field = FIELDS[name]
    row = _row_of(field)
    if row is None:
        return field.base_value
    if field.is_secret:
        return encryption.decrypt(row.value)
    stored: Value = row.value
    return stored


def number(name: str) -> int:
    """Return the value of a setting that is a number."""
    return int(value(name))


def encrypted(name: str) -> str:
    """Return what is stored encrypted of a secret that holds now; "" where it is not a stored one."""
    field = FIELDS[name]
    row = _row_of(field)
    if row is None or not field.is_secret:
        return ""
    return str(row.value)


def current(section: Section) -> list[Current]:
    """Return the settings of a section with their sources."""
    return [_current(field) for field in section.fields]


def _current(field: SettingField) -> Current:
    row = _row_of(field)
    if row is not None:
        return Current(
            field=field,
            value="" if field.is_secret else row.value,
            source=Source.STORED,
            is_set=True,
            updated_at=row.updated_at,
            updated_by=row.updated_by,
        )
    source = Source.DEFAULT
    if field.is_from_environment:
        source = Source.ENVIRONMENT
    value = field.base_value
    return Current(
        field=field,
        value="" if field.is_secret else value,
        source=source,
        is_set=bool(value),
    )


def last_change(rows: Sequence[Current]) -> Current | None:
    """Return the setting that was changed last, or None when none of these is stored."""
    newest: Current | None = None
    for row in rows:
        if row.updated_at is None:
            continue
        if newest is None or newest.updated_at is None or row.updated_at > newest.updated_at:
            newest = row
    return newest


@sensitive_variables()
def save(changes: Mapping[str, object], *, by: str) -> list[str]:
    """Store these values, all or none, and return the names that changed; None brings the default back.

    Raise SettingRefused. `by` is the author as pages show it.
    """
    checked = {name: _checked(name, value) for name, value in changes.items()}
    changed = []
    with transaction.atomic():
        for name, new in checked.items():
            before = _shown(name)
            if _store(FIELDS[name], new, by=by[:150]):
                changed.append(name)
                trail.record(
                    "changed", kind="setting", name=name, changes=_change(name, before, new)
                )
        transaction.on_commit(memory.forget)
    memory.forget()
    for name in changed:
        logger.info("setting %s changed by=%s", name, by)
    return changed


def _shown(name: str) -> Value:
    return "" if FIELDS[name].is_secret else value(name)


def _change(name: str, before: Value, new: Value | None) -> trail.Changes:
    # Of a secret there is the name alone.
    return {} if FIELDS[name].is_secret else {"value": [before, new]}


@sensitive_variables()
def _checked(name: str, new: object) -> Value | None:
    field = FIELDS.get(name)
    if field is None:
        raise SettingRefused(name[:MAX_NAME], f"There is no setting `{name[:MAX_NAME]}`")
    if field.is_from_environment:
        raise SettingRefused(name, f"{field.label} is set by the environment, as `{name}`")
    if not field.is_editable:
        raise SettingRefused(name, f"{field.label} is read when Tempo starts, from `{name}`")
    if new is None:
        return None
    return fields.checked(field, new)


@sensitive_variables()
def _store(field: SettingField, new: Value | None, *, by: str) -> bool:
    if field.keep is not None:
        return _keep(field, new)
    row = Setting.objects.filter(name=field.name).first()
    # An empty secret is none.
    if new is None or (field.is_secret and not new):
        if row is not None:
            row.delete()
        return row is not None
    if row is not None and not field.is_secret and row.value == new:
        return False
    if field.is_secret:
        new = encryption.encrypt(str(new))
    Setting.objects.update_or_create(name=field.name, defaults={"value": new, "updated_by": by})
    return True


def _keep(field: SettingField, new: Value | None) -> bool:
    assert field.keep
    if new is None or new == field.base_value:
        return False
    try:
        field.keep(new)
    except OSError as error:
        raise SettingRefused(field.name, f"{field.label}: {error.strerror}") from error
    return True


def look_again(*, now: datetime) -> None:
    """Have the table read again with the next value: another process may have changed it."""
    memory.forget()


def _row_of(field: SettingField) -> Setting | None:
    if field.is_from_environment or not field.is_editable or field.keep is not None:
        return None
    return memory.rows().get(field.name)
