"""External edits of a script's readable copies: accepted as a version, or reverted."""

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from scripts_app import scripts
from scripts_app.models import Script, Version
from scripts_app.validation import ScriptError
from scripts_app.versions import working_copy
from scripts_app.versions.working_copy import ExternalEdit
from tempo_site.audit import trail

ACCEPTED = "Edited on the disk"
REVERTED = "Edited on the disk, and put back"


def accept(script: Script, *, seen: str, by: User | None, now: datetime) -> Version:
    """Make the `seen` edit the current version; a draft is kept among the versions. Raise ScriptError."""
    edit = _find_seen_edit(script, seen)
    if edit.problem:
        raise ScriptError(f"{edit.problem} It cannot become a version", field="take")
    version = scripts.update(
        script, by=by, now=now, note=ACCEPTED, code=edit.code, requirements=edit.requirements
    ).version
    assert version is not None
    return version


def revert(script: Script, *, seen: str) -> None:
    """Write the current version over the `seen` edit, whose text is kept among the versions. Raise ScriptError."""
    edit = _find_seen_edit(script, seen)
    if edit.problem:
        raise ScriptError(
            f"{edit.problem} Move it away yourself: Tempo could not keep what it says", field="take"
        )
    with transaction.atomic():
        scripts.keep_edit(script, edit, note=REVERTED)
        trail.record("reverted", script, changes={"edit": "the one on the disk"})
        transaction.on_commit(lambda: working_copy.write(script.pk), robust=True)


def _find_seen_edit(script: Script, seen: str) -> ExternalEdit:
    edit = working_copy.find_edit(script)
    if edit is None:
        raise ScriptError(
            "Nothing was edited from outside, or it was dealt with already", field="seen"
        )
    if edit.seen != seen:
        raise ScriptError(
            "It was edited again in the meantime\nhint: look at it once more", field="seen"
        )
    return edit
