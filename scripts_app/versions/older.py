"""Versions that a new script brings along from another Tempo, with their numbers, authors, notes and moments."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from scripts_app.inputs import declarations
from scripts_app.models import Script, Version
from scripts_app.versions import settings_snapshot, versions

AT_ONCE = 10  # their texts are in memory


@dataclass(frozen=True, kw_only=True)
class OlderVersion:
    """A version as files hold it. Its author is a name alone: who has that name here is another person, perhaps."""

    number: int
    code: str
    requirements: str
    python_version: str
    saved_at: datetime
    saved_by: str
    note: str
    is_draft: bool
    is_current: bool  # the last one that is no draft

    @property
    def text(self) -> dict[str, str]:
        return {name: getattr(self, name) for name in versions.FIELDS}


@dataclass(frozen=True, kw_only=True)
class History:
    """The versions that a new script brings along, the first one first, each read when it is asked for."""

    script: Script
    text: Mapping[str, str]  # the fields of the version that is to be current
    versions: Iterable[OlderVersion]


@dataclass(kw_only=True)
class StoredHistory:
    """What was stored of a history: its newest number, and the version that has the text, where the last one has."""

    newest: int = 0
    current: int | None = None


def check(history: Iterable[OlderVersion]) -> None:
    """Raise ScriptError for a history that cannot be stored."""
    for older in history:
        versions.check_text(**older.text)
        versions.check_note(older.note)


def store_all(histories: Iterable[History]) -> dict[int, StoredHistory]:
    """Give scripts that have no version these; return what was stored, by the script's key. Raise ScriptError."""
    stored: dict[int, StoredHistory] = {}
    rest = ((history, older) for history in histories for older in history.versions)
    while some := list(islice(rest, AT_ONCE)):
        rows = Version.objects.bulk_create(_row(each.script, older) for each, older in some)
        for row, (history, older) in zip(rows, some, strict=True):
            row.created_at = older.saved_at  # a new row has the present moment in its place
            kept = stored.setdefault(history.script.pk, StoredHistory())
            kept.newest = older.number
            if older.is_current and versions.fields_of(row) == history.text:
                kept.current = row.pk
        Version.objects.bulk_update(rows, ["created_at"])
    return stored


def _row(script: Script, older: OlderVersion) -> Version:
    fields = versions.check_text(**older.text)
    settings = settings_snapshot.snapshot_of(script) if older.is_current else {}
    return Version(
        script=script,
        number=older.number,
        saved_by=older.saved_by,
        note=versions.check_note(older.note),
        is_draft=older.is_draft,
        settings=settings,
        settings_hash=settings_snapshot.digest(settings) if settings else "",
        parameters=declarations.declared_in_code(fields["code"]),
        **fields,
    )
