"""Versions: the saved texts of a script. The rows are the truth, the files are readable copies."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Greatest

from scripts_app import validation
from scripts_app.diagnostics import encoding, syntax
from scripts_app.environments import environments
from scripts_app.environments.environments import EnvironmentSpec
from scripts_app.inputs import declarations
from scripts_app.models import Draft, Script, Version
from scripts_app.packages import interpreters
from scripts_app.packages.interpreters import Interpreter
from scripts_app.validation import ScriptError
from scripts_app.versions import settings_snapshot, working_copy
from tempo_site.audit import trail
from tempo_site.lib import paths

logger = logging.getLogger(__name__)

FIELDS = ("code", "requirements", "python_version")
MAX_NOTE = 200


@dataclass(frozen=True, kw_only=True)
class Content:
    code: str
    requirements: str
    python_version: str
    environment_spec: EnvironmentSpec
    syntax_error: str = ""  # a version with a syntax error is saved, but not run

    @property
    def fields(self) -> dict[str, str]:
        return {name: getattr(self, name) for name in FIELDS}

    @property
    def row(self) -> dict[str, str]:
        """Return the fields as a version stores them."""
        return {**self.fields, "syntax_error": self.syntax_error}


def save(
    script: Script, content: Content, *, author: User | None, now: datetime, note: str = ""
) -> Version:
    """Return a new current version, or the current version if equal. Raises ScriptError for an invalid note."""
    note = check_note(note)
    with transaction.atomic():
        script.version = current_version(script)  # another save may have come between
        if script.version is None or fields_of(script.version) != content.fields:
            script.version = _create(
                script,
                content.row,
                author=author,
                note=note,
            )
            # `now` is when the request came: a script that was created in it is a moment younger.
            changed_at = Greatest(Value(now), F("created_at"))
            rows = Script.objects.filter(pk=script.pk)
            rows.update(version=script.version, updated_at=changed_at)
        elif script.version.syntax_error != content.syntax_error:
            # The same text, but the Python is another by now, or could not be started before.
            script.version.syntax_error = content.syntax_error
            script.version.save(update_fields=["syntax_error"])
        environments.assign(script, content.environment_spec)
        # A failure is only logged, as the rows are the truth.
        transaction.on_commit(lambda: working_copy.write(script.pk), robust=True)
    return script.version


def check(*, code: str, requirements: str, python_version: str) -> Content:
    """Return the normalised content of a version. Starts processes: not in a transaction. Raises ScriptError."""
    content = _content(code=code, requirements=requirements, python_version=python_version)
    error = syntax.error_of(content.code, content.environment_spec.interpreter)
    return replace(content, syntax_error=error)


def check_all(texts: Iterable[Mapping[str, str]]) -> list[Content | ScriptError]:
    """Return what check() returns or raises for each of many texts."""
    checked = [_content_or_refusal(text) for text in texts]
    contents = [each for each in checked if isinstance(each, Content)]
    errors: dict[tuple[Interpreter, str], str] = {}
    for interpreter in {content.environment_spec.interpreter for content in contents}:
        codes = [
            content.code
            for content in contents
            if content.environment_spec.interpreter == interpreter
        ]
        for code, error in zip(codes, syntax.errors_of(codes, interpreter), strict=True):
            errors[interpreter, code] = error
    return [
        replace(each, syntax_error=errors[each.environment_spec.interpreter, each.code])
        if isinstance(each, Content)
        else each
        for each in checked
    ]


def _content_or_refusal(text: Mapping[str, str]) -> Content | ScriptError:
    try:
        return _content(**text)
    except ScriptError as refusal:
        return refusal


def _content(*, code: str, requirements: str, python_version: str) -> Content:
    fields = check_text(code=code, requirements=requirements, python_version=python_version)
    wrong = encoding.problem(fields["code"])
    if wrong:
        hint = "write `utf-8` there, or delete that line"
        raise ScriptError(f"Line {wrong.line}: {wrong.message}\nhint: {hint}", field="code")
    try:
        spec = environments.spec_of_text(**fields)
    except interpreters.InterpreterMissing as error:
        raise ScriptError(str(error), field="python_version") from error
    return Content(**fields, environment_spec=spec)


def check_text(*, code: str, requirements: str, python_version: str) -> dict[str, str]:
    """Return the fields of a version or draft, normalised to `\\n`. Raises ScriptError: over 1 MB, NULs."""
    return {
        "code": validation.text(code, field="code"),
        "requirements": validation.text(requirements, field="requirements"),
        "python_version": validation.line(
            python_version,
            field="python_version",
            limit=10,
        ),
    }


def check_note(note: str) -> str:
    """Return a note, trimmed. Raises ScriptError: more than a line, over 200 characters."""
    return validation.line(note, field="note", limit=MAX_NOTE)


def keep_draft(
    script: Script, fields: dict[str, str], *, author: User | None, note: str
) -> Version:
    """Return a new version with a draft's text, not made current: schedules must not run unfinished text."""
    return _create(
        script,
        fields,
        author=author,
        note=note,
        is_draft=True,
    )


def same_text(script: Script, fields: dict[str, str]) -> Version | None:
    """Return the newest version with these fields, or None."""
    rows = Version.objects.filter(script=script, **fields)
    return rows.defer("code", "requirements").first()


def current_version(script: Script) -> Version | None:
    """Return the version that runs, from the database; the newest version may be a kept draft."""
    current = Script.objects.filter(pk=script.pk).values("version")[:1]
    return Version.objects.filter(pk=current).first()


def annotate(version: Version, note: str) -> None:
    """Change the note of a version. Raises ScriptError for an invalid note."""
    before = version.note
    version.note = check_note(note)
    with transaction.atomic():
        version.save(update_fields=["note"])
        name = f"{version} of {version.script.slug}"
        trail.record("changed", version, name=name, changes={"note": [before, version.note]})


def write_missing_copies() -> int:
    """At start-up, write copies that are missing or old, as after a full disk; return the number of scripts."""
    scripts = Script.objects.present().exclude(version=None)
    rows = scripts.values_list("pk", "slug", "version__created_at")
    missing = [pk for pk, slug, saved_at in rows if not _has_copies(paths.script(slug), saved_at)]
    return write_copies(missing)


def write_copies(scripts: Iterable[int]) -> int:
    """Write the copies of scripts, by their keys; a failure is only logged, as the rows are the truth."""
    return sum(_write_or_warn(pk) for pk in scripts)


def _has_copies(folder: Path, saved_at: datetime) -> bool:
    try:
        mtimes = [(folder / name).stat().st_mtime for name in working_copy.FIELDS]
    except OSError:
        return False
    return min(mtimes) >= saved_at.timestamp()


def _write_or_warn(script_id: int) -> bool:
    try:
        working_copy.write(script_id)
    except OSError as error:
        logger.warning("copies of script %s not written: %s", script_id, error)
        return False
    return True


def fields_of(source: Version | Draft) -> dict[str, str]:
    return {name: getattr(source, name) for name in FIELDS}


def _create(
    script: Script,
    fields: dict[str, str],
    *,
    author: User | None,
    note: str,
    is_draft: bool = False,
) -> Version:
    newest = Version.objects.filter(script=script).values_list("number", flat=True).first()
    number = (newest or 0) + 1
    row = unsaved(script, fields, number=number, author=author, note=note, is_draft=is_draft)
    row.save()
    return row


def unsaved(
    script: Script,
    fields: Mapping[str, str],
    *,
    number: int,
    author: User | None,
    note: str = "",
    is_draft: bool = False,
) -> Version:
    """Return a version with these fields, which check() has passed, that is not stored."""
    settings = settings_snapshot.snapshot_of(script)
    return Version(
        script=script,
        number=number,
        author=author,
        saved_by=author.get_username() if author else trail.name_of_program(),
        note=note,
        is_draft=is_draft,
        settings=settings,
        settings_hash=settings_snapshot.digest(settings),
        parameters=declarations.declared_in_code(fields["code"]),
        **fields,
    )
