"""Versions that a new script brings along from another Tempo, with their numbers, authors, notes and moments."""

from collections.abc import Iterable
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


def store(script: Script, history: Iterable[OlderVersion]) -> None:
    """Give a script that has no version these, and make the last one that is no draft current. Raise ScriptError."""
    rest = iter(history)
    current: Version | None = None
    while some := list(islice(rest, AT_ONCE)):
        rows = Version.objects.bulk_create([_row(script, older) for older in some])
        for row, older in zip(rows, some, strict=True):
            row.created_at = older.saved_at  # a new row has the present moment in its place
            current = current if row.is_draft else row
        Version.objects.bulk_update(rows, ["created_at"])
    if current is not None:
        current.settings = settings_snapshot.snapshot_of(script)
        current.settings_hash = settings_snapshot.digest(current.settings)
        current.save(update_fields=["settings", "settings_hash"])
        Script.objects.filter(pk=script.pk).update(version=current)


def _row(script: Script, older: OlderVersion) -> Version:
    fields = versions.check_text(
        code=older.code, requirements=older.requirements, python_version=older.python_version
    )
    return Version(
        script=script,
        number=older.number,
        saved_by=older.saved_by,
        note=versions.check_note(older.note),
        is_draft=older.is_draft,
        parameters=declarations.declared_in_code(fields["code"]),
        **fields,
    )
