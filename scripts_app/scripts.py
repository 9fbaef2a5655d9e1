"""Scripts: created, changed, duplicated and deleted here, for every door alike."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypedDict, Unpack

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from scripts_app import folders, limits, slugs, validation
from scripts_app.inputs import declarations
from scripts_app.limits import LIMITS
from scripts_app.models import Draft, Schedule, Script, Variable, Version
from scripts_app.packages import interpreters, requirements, resolution
from scripts_app.schedules import schedules
from scripts_app.validation import ScriptError as ScriptError  # doors catch `scripts.ScriptError`
from scripts_app.versions import drafts, temporary_paths, versions, working_copy
from tempo_site.audit import trail

CHANGEABLE = frozenset(
    {
        "name",
        "folder",
        "description",
        "tags",
        "enabled",
        "as_service_user",
        "allow_source",
        "one_at_a_time",
        "parameters",
    }
    | {*versions.FIELDS, *LIMITS}
)

# What gives a script's code, or its packages' authors, more rights than others have.
SET_BY_STAFF = {
    "as_service_user": "run as Tempo's own user",
    "allow_source": "allow building from source",
}
EDITED = "Edited on the disk, kept when another version was saved"


class StaffNeeded(ScriptError):
    """A setting that a user who is not staff wanted to change."""

    def __init__(self, field: str) -> None:
        sentence = f"`{SET_BY_STAFF[field]}` is set by staff\nhint: ask a user of the staff"
        super().__init__(sentence, field=field)


class NewScript(TypedDict, total=False):
    """The fields of a new script beside its name: text, settings, and limits other than the server's."""

    folder: str
    enabled: bool
    code: str
    requirements: str
    python_version: str
    description: str
    tags: Sequence[str]
    as_service_user: bool
    allow_source: bool
    one_at_a_time: bool
    parameters: Sequence[dict[str, Any]]
    timeout_s: int
    memory_mb: int
    cpu_s: int
    processes: int
    output_mb: int
    file_mb: int
    nice: int


def create(
    *,
    name: str,
    by: User | None,
    now: datetime,
    **fields: Unpack[NewScript],
) -> Script:
    """Create a script with its first version and request its environment. Raise ScriptError, also as StaffNeeded."""
    values: dict[str, Any] = {"name": name, **fields}
    folder = values.pop("folder", "")
    text = {field: values.pop(field, "") for field in versions.FIELDS}
    content = versions.check(**text)
    script = unsaved(by=by, **values)
    with transaction.atomic():
        script.folder = folders.ensure(folder)
        _insert(script)
        versions.save(script, content, author=by, now=now)
        trail.record("created", script)
    return script


def unsaved(*, by: User | None, **values: Any) -> Script:
    """Return a script with these settings that is not stored: without text, slug and folder. Raise ScriptError."""
    values = {**limits.default_limits(), **values}
    _refuse_unknown(values.keys() - (CHANGEABLE - {"folder", *versions.FIELDS}))
    script = Script()
    _require_staff(script, values, by)
    _assign(script, values)
    return script


def update(
    script: Script,
    *,
    by: User | None,
    now: datetime,
    based_on: int | None = None,
    note: str = "",
    **changes: object,
) -> Script:
    """Change a script; other code, requirements or Python version make a new Version. Other fields stay as stored.

    `changes` have the names of CHANGEABLE. `based_on` is the revision that a text was made from: its draft ends, with
    another revision drafts.Conflict is raised. Raise ScriptError, and store nothing, for values that cannot be saved.
    """
    _refuse_unknown(changes.keys() - CHANGEABLE)
    text, change = _pop_text(changes), None
    if text or "allow_source" in changes:
        change = TextChange(script, text, author=by, based_on=based_on, note=note)
    return store_update(script, changes, change, by=by, now=now)


def store_update(
    script: Script,
    changes: Mapping[str, Any],
    text: "TextChange | None",
    *,
    by: User | None,
    now: datetime,
) -> Script:
    """Do what update() does, with a text that was checked before a long transaction."""
    with transaction.atomic():
        _refresh_present(script)
        _require_staff(script, changes, by)
        before = trail.facts(script, [*changes, "version"])
        _assign(script, changes)
        script.save(update_fields=[*changes, "updated_at"])
        if text is not None:
            text.save(script, now=now)
        trail.record_changes(script, before)
        if "enabled" in changes:
            schedules.rearm(script, now=now)
    return script


def _refresh_present(script: Script) -> None:
    script.refresh_from_db()
    if script.deleted_at is not None:
        raise ScriptError(f"`{script.slug}` was deleted and cannot be changed", field="script")


def _pop_text(changes: dict[str, Any]) -> dict[str, Any]:
    text = {}
    for field in versions.FIELDS:
        if field in changes:
            text[field] = changes.pop(field)
    return text


class TextChange:
    """The text of an update. Pythons are asked and files read when it is made, before the transaction of save()."""

    def __init__(
        self,
        script: Script,
        text: dict[str, Any],
        *,
        author: User | None,
        based_on: int | None,
        note: str,
        content: versions.Content | None = None,  # of the text, where it was checked before
    ) -> None:
        self.text = text
        self.author = author
        self.based_on = based_on
        self.note = note
        self.before = _fields(script)
        self.content = content or versions.check(**self.before | text)
        self.edit = working_copy.find_edit(script)

    def save(self, script: Script, *, now: datetime) -> None:
        stored = _fields(script)
        if stored != self.before:
            # Another save came between; it has asked the Pythons, so no process starts.
            self.content = versions.check(**stored | self.text)
        fields = self.content.fields
        is_new = fields != stored
        if self.edit and is_new:
            keep_edit(script, self.edit, note=EDITED, unless=fields)
        if is_new or self._ends_draft(script):
            drafts.supersede(script, fields, based_on=self.based_on)
        versions.save(script, self.content, author=self.author, now=now, note=self.note)
        script.refresh_from_db(fields=["revision"])

    # Text that a version has already is no conflict; a draft that the author has not seen stays.
    def _ends_draft(self, script: Script) -> bool:
        return self.based_on is not None and Draft.objects.filter(script=script).exists()


def restore_version(script: Script, version: Version, *, by: User | None, now: datetime) -> Version:
    """Make a new version with the text of an older version, or return the current version if the text is the same.

    Settings stay, a draft is kept among the versions. Raise ScriptError for a text that could not be saved today.
    """
    fields: dict[str, Any] = versions.fields_of(version)
    restored = update(script, by=by, now=now, note=f"Restored from {version}", **fields).version
    assert restored is not None, "a version was just saved"
    return restored


def add_requirement(script: Script, package: str, *, by: User | None, now: datetime) -> Version:
    """Make a new version that also requires a package; what the code's block requires goes along. Raise ScriptError."""
    assert script.version is not None, "a script always has a version"
    fields = versions.fields_of(script.version)
    listed = fields["requirements"]
    block = resolution.offer(**fields)
    if block.requirements and not requirements.has_any(listed):
        listed = "\n".join(block.requirements)  # a list beside the block is used in its place
    listed = f"{listed.rstrip()}\n{package}\n".lstrip()
    saved = update(script, by=by, now=now, note=f"Added {package}", requirements=listed).version
    assert saved is not None, "a version was just saved"
    return saved


def use_own_tmpdir(script: Script, *, by: User | None, now: datetime) -> bool:
    """Save a draft whose paths below `/tmp` lie in `$TMPDIR`; False where the code has none. Raise ScriptError."""
    text = drafts.text(script)
    code = temporary_paths.use_own_folder(text.code)
    if code == text.code:
        return False
    drafts.save(script, **{**text.fields, "code": code}, based_on=text.revision, by=by, now=now)
    return True


def keep_edit(
    script: Script,
    edit: working_copy.ExternalEdit,
    *,
    note: str,
    unless: dict[str, str] | None = None,
) -> None:
    """Keep an external edit among the versions, unless a version has the text already or `unless` is the text."""
    if edit.fields != unless and versions.same_text(script, edit.fields) is None:
        versions.keep_draft(script, edit.fields, author=None, note=note)
    working_copy.know(script, edit)


def delete(script: Script, *, now: datetime) -> None:
    """Hide a script and stop its schedules; rows, files, runs and the slug stay."""
    with transaction.atomic():
        found = Script.objects.present().select_related("folder").filter(pk=script.pk).first()
        if found is None:
            return
        script.deleted_at = now
        script.deleted_from = found.folder.path if found.folder else ""
        script.folder = None
        Script.objects.filter(pk=script.pk).update(
            deleted_at=now, deleted_from=script.deleted_from, folder=None
        )
        schedules.rearm(script, now=now)
        trail.record("deleted", script)


def duplicate(
    script: Script, *, by: User | None, now: datetime, name: str = "", folder: str | None = None
) -> Script:
    """Create a copy with text, settings, variables and schedules, without files and runs. Raise ScriptError.

    The copy is disabled, so that nothing runs twice unseen. Without a name `(copy)` is added to the original's. What is
    set by staff is copied by staff.
    """
    # Unknown Pythons are asked by starting them: not within the transaction.
    interpreters.discover()
    content = versions.check(**_fields(script))
    if folder is None:
        folder = script.folder.path if script.folder else ""
    values = {field: getattr(script, field) for field in CHANGEABLE - set(versions.FIELDS)}
    values |= limits.limits_of_script(script)
    values["name"] = name or name_of_copy(script.name)
    values["folder"] = folder
    values["enabled"] = False
    if not _is_staff(by):
        values |= dict.fromkeys(SET_BY_STAFF, False)
    note = f"Copied from `{script.slug}`"[: versions.MAX_NOTE]
    with transaction.atomic():
        copy = Script()
        _assign(copy, values)
        _insert(copy)
        versions.save(copy, content, author=by, now=now, note=note)
        _copy_rows(script, copy, now=now)
        trail.record("created", copy, changes={"copied from": script.slug})
    return copy


def name_of_copy(name: str) -> str:
    suffix = " (copy)"
    return name[: validation.MAX_NAME - len(suffix)] + suffix


# Under the first free slug, or under the next when another request takes that slug at the same time.
def _insert(script: Script) -> None:
    for slug in slugs.free(script.name):
        script.slug = slug
        try:
            with transaction.atomic():
                script.save(force_insert=True)
        except IntegrityError:
            if not Script.objects.filter(slug=slug).exists():
                raise
        else:
            return


# `by` is None for a key, whose scope was checked, and for Tempo itself.
def _require_staff(script: Script, values: Mapping[str, Any], by: User | None) -> None:
    if not _is_staff(by):
        refuse_what_staff_sets(script, values)


def refuse_what_staff_sets(script: Script, values: Mapping[str, Any]) -> None:
    """Raise StaffNeeded where these values change what is for staff alone."""
    for field in SET_BY_STAFF:
        if field in values and values[field] != getattr(script, field):
            raise StaffNeeded(field)


def _is_staff(by: User | None) -> bool:
    return by is None or by.is_staff


def _assign(script: Script, values: Mapping[str, Any]) -> None:
    checks: dict[str, Callable[[object], Any]] = {
        "name": validation.name,
        "folder": folders.ensure,
        "tags": validation.tags,
        "parameters": declarations.declared_in_settings,
        "description": partial(validation.text, field="description"),
    }
    for field, value in values.items():
        if field in checks:
            value = checks[field](value)
        setattr(script, field, value)
    not_assigned = {"slug", "folder", "version", "environment", "wanted_environment"}
    try:
        script.clean_fields(exclude=not_assigned)
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        sentence = " ".join(messages)
        raise ScriptError(f"`{field}`: {sentence}", field=field) from error
    for field in LIMITS.keys() & values.keys():
        LIMITS[field].check(getattr(script, field))


# Secrets are copied as they are stored; what Tempo noted about a schedule is not copied.
def _copy_rows(script: Script, copy: Script, *, now: datetime) -> None:
    variables = Variable.objects.filter(script=script)
    Variable.objects.bulk_create(_copy_of(variable, script=copy) for variable in variables)
    noted = {
        "alarm": None,
        "cron_line": "",  # a copy did not come from cron
        "mail_to": "",
        "paused_at": None,
        "paused_until": None,
        "message": "",
        "last_success_at": None,
        "stale_since": None,
    }
    originals = script.schedules.all()
    Schedule.objects.bulk_create(_copy_of(row, script=copy, **noted) for row in originals)
    schedules.rearm(copy, now=now)


def _copy_of(row: Any, **changes: object) -> Any:
    values = {}
    for field in row._meta.concrete_fields:
        if not field.primary_key:
            values[field.name] = getattr(row, field.name)
    return type(row)(**values | changes)


def _fields(script: Script) -> dict[str, str]:
    if script.version:
        return versions.fields_of(script.version)
    return dict.fromkeys(versions.FIELDS, "")


def _refuse_unknown(names: set[str]) -> None:
    if names:
        unknown = min(names)
        known = ", ".join(sorted(CHANGEABLE))
        raise ScriptError(
            f"`{unknown}` is no changeable field of a script\nhint: there are {known}",
            field=unknown,
        )
