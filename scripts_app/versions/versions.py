"""Versions: what a script said at each moment. Rows are the truth; the files beside them are readable copies."""

import logging
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.contrib.auth.models import User
from django.db import transaction

from scripts_app import validation
from scripts_app.diagnostics import syntax
from scripts_app.environments import environments
from scripts_app.environments.environments import EnvironmentSpec
from scripts_app.inputs import declarations
from scripts_app.models import Draft, Script, Version
from scripts_app.packages import interpreters
from scripts_app.validation import ScriptError
from scripts_app.versions import settings_snapshot, working_copy
from tempo_site.lib import paths

logger = logging.getLogger(__name__)

FIELDS = ("code", "requirements", "python_version")
MAX_NOTE = 200


@dataclass(frozen=True, kw_only=True)
class Content:
    """What a version says, checked, and the environment it needs."""

    code: str
    requirements: str
    python_version: str
    wish: EnvironmentSpec
    syntax_error: str = ""  # why its Python cannot read it: it is saved all the same, but not run

    @property
    def fields(self) -> dict[str, str]:
        """What is stored of it."""
        return {name: getattr(self, name) for name in FIELDS}


def save(
    script: Script, content: Content, *, author: User | None, now: datetime, note: str = ""
) -> Version:
    """Make this the current version and ask for its environment; identical content returns the current one.

    The files of the script are rewritten after the commit. Raises ScriptError for a note that cannot be saved.
    """
    note = check_note(note)
    with transaction.atomic():
        script.version = current_version(script)  # another save may have come between
        if script.version is None or fields_of(script.version) != content.fields:
            fields = {**content.fields, "syntax_error": content.syntax_error}
            script.version = _create(script, fields, author=author, note=note)
            Script.objects.filter(pk=script.pk).update(version=script.version, updated_at=now)
        elif (
            script.version.syntax_error != content.syntax_error
        ):  # its Python is another by now, or was asked again
            script.version.syntax_error = content.syntax_error
            script.version.save(update_fields=["syntax_error"])
        environments.assign(script, content.wish)
        # A failure is logged and no more: rows are the truth.
        transaction.on_commit(lambda: working_copy.write(script.pk), robust=True)
    return script.version


def check(*, code: str, requirements: str, python_version: str) -> Content:
    """Return the content of a version, normalised to `\\n`. It may start processes: not inside a transaction.

    Raises ScriptError: code over 1 MB or with NULs, a requirement that is refused, a Python that is not there.
    """
    fields = check_text(code=code, requirements=requirements, python_version=python_version)
    try:
        wish = environments.spec_of_text(**fields)
    except interpreters.InterpreterMissing as error:
        raise ScriptError(str(error), field="python_version") from error
    syntax_error = syntax.error_of(fields["code"], wish.interpreter)
    return Content(**fields, wish=wish, syntax_error=syntax_error)


def check_text(*, code: str, requirements: str, python_version: str) -> dict[str, str]:
    """Return what a version or a draft could hold, normalised to `\\n`. Raises ScriptError: over 1 MB, NULs."""
    return {
        "code": validation.text(code, field="code"),
        "requirements": validation.text(requirements, field="requirements"),
        "python_version": validation.line(python_version, field="python_version", most=10),
    }


def check_note(note: str) -> str:
    """Return a note, trimmed. Raises ScriptError: more than a line, over 200 characters."""
    return validation.line(note, field="note", most=MAX_NOTE)


def keep_aside(
    script: Script, fields: dict[str, str], *, author: User | None, note: str
) -> Version:
    """Put a draft's text among the versions without making it the current one: schedules must not run what is half
    typed. The next version gets the number after it.
    """
    return _create(script, fields, author=author, note=note, is_draft=True)


def same_text(script: Script, fields: dict[str, str]) -> Version | None:
    """The newest version that says this, or None."""
    return Version.objects.filter(script=script, **fields).defer("code", "requirements").first()


def current_version(script: Script) -> Version | None:
    """The version that runs, as the database has it now; not the newest row where a draft was kept."""
    return Version.objects.filter(
        pk=Script.objects.filter(pk=script.pk).values("version")[:1]
    ).first()


def annotate(version: Version, note: str) -> None:
    """Give a version another note. Raises ScriptError for one that cannot be saved."""
    version.note = check_note(note)
    version.save(update_fields=["note"])


def write_missing_copies() -> int:
    """At start-up: write the copies that are missing or older than their version; returns of how many scripts.

    They are when the disk was full after a save. Nothing but the files' times is read of those that are in order.
    """
    rows = (
        Script.objects.present()
        .exclude(version=None)
        .values_list("pk", "slug", "version__created_at")
    )
    missing = [pk for pk, slug, saved_at in rows if not _has_copies(paths.script(slug), saved_at)]
    return sum(_write_or_warn(pk) for pk in missing)


def _has_copies(folder: Path, saved_at: datetime) -> bool:
    try:
        return all(
            (folder / name).stat().st_mtime >= saved_at.timestamp() for name in working_copy.FIELDS
        )
    except OSError:
        return False


def _write_or_warn(script_id: int) -> bool:
    try:
        working_copy.write(script_id)
    except OSError as error:
        logger.warning("copies of script %s not written: %s", script_id, error)
        return False
    return True


def fields_of(said: Version | Draft) -> dict[str, str]:
    """What a version or a draft says: code, requirements and Python."""
    return {name: getattr(said, name) for name in FIELDS}


def _create(
    script: Script,
    fields: dict[str, str],
    *,
    author: User | None,
    note: str,
    is_draft: bool = False,
) -> Version:
    newest = Version.objects.filter(script=script).values_list("number", flat=True).first()
    settings = settings_snapshot.snapshot_of(script)
    return Version.objects.create(
        script=script,
        number=(newest or 0) + 1,
        author=author,
        saved_by=author.get_username() if author else "",
        note=note,
        is_draft=is_draft,
        settings=settings,
        settings_hash=settings_snapshot.digest(settings),
        parameters=declarations.declared_in_code(fields["code"]),
        **fields,
    )
