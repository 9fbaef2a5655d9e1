"""Scripts: created, changed, duplicated and deleted here, for every door alike."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, TypedDict, Unpack

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from scripts_app import folders, limits, validation
from scripts_app.inputs import declarations
from scripts_app.limits import LIMITS
from scripts_app.models import Draft, Schedule, Script, Variable, Version
from scripts_app.packages import interpreters
from scripts_app.schedules import schedules
from scripts_app.validation import ScriptError as ScriptError  # doors catch `scripts.ScriptError`
from scripts_app.versions import drafts, versions, working_copy
from tempo_site.lib import humanize

CHANGEABLE = frozenset(
    {
        "name",
        "folder",
        "description",
        "tags",
        "enabled",
        "as_service_user",
        "allow_source",
        "parameters",
    }
    | {*versions.FIELDS, *LIMITS}
)
EDITED = "Edited on the disk, kept when another version was saved"


class NewScript(TypedDict, total=False):
    """What a new script may be given beside its name: text, settings, and limits other than the server's."""

    folder: str
    code: str
    requirements: str
    python_version: str
    description: str
    tags: Sequence[str]
    as_service_user: bool
    allow_source: bool
    parameters: Sequence[dict[str, Any]]
    timeout_s: int
    memory_mb: int
    cpu_s: int
    processes: int
    output_mb: int
    file_mb: int
    nice: int


def create(*, name: str, by: User | None, now: datetime, **fields: Unpack[NewScript]) -> Script:
    """Create a script with its first version and request its environment.

    The slug, the name's safe form, never changes. Raise ScriptError for values that cannot be saved.
    """
    values: dict[str, Any] = {"name": name, "folder": "", **limits.default_limits(), **fields}
    _refuse_unknown(values.keys() - (CHANGEABLE - {"enabled"}))
    content = versions.check(**{field: values.pop(field, "") for field in versions.FIELDS})
    with transaction.atomic():
        script = Script()
        _assign(script, values)
        _insert(script)
        versions.save(script, content, author=by, now=now)
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
    """Change a script; other code, requirements or Python version make a new Version. Unnamed fields stay as stored.

    Names: those of CHANGEABLE; `note` is the new version's. `based_on` is the revision a text was made from: with it
    the draft has been seen and ends, or drafts.Conflict is raised. Raises ScriptError for other names and for what
    cannot be saved. Nothing is stored after a refusal.
    """
    _refuse_unknown(changes.keys() - CHANGEABLE)
    text: dict[str, Any] = {
        field: changes.pop(field) for field in versions.FIELDS if field in changes
    }
    change = None
    if text or "allow_source" in changes:
        change = _TextChange(script, text, author=by, based_on=based_on, note=note)
    with transaction.atomic():
        script.refresh_from_db()
        if script.deleted_at is not None:
            raise ScriptError(f"`{script.slug}` was deleted and cannot be changed", field="script")
        _assign(script, changes)
        script.save(update_fields=[*changes, "updated_at"])
        if change:
            change.save(script, now=now)
        if "enabled" in changes:
            schedules.rearm(script, now=now)
    return script


class _TextChange:
    def __init__(
        self,
        script: Script,
        text: dict[str, Any],
        *,
        author: User | None,
        based_on: int | None,
        note: str,
    ) -> None:
        # Asking Pythons and reading files is done here, before the transaction.
        self.text, self.author, self.based_on, self.note = text, author, based_on, note
        self.before = _fields(script)
        self.content = versions.check(**self.before | text)
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
        is_based_on_draft = (
            self.based_on is not None and Draft.objects.filter(script=script).exists()
        )
        if is_new or is_based_on_draft:
            drafts.supersede(script, fields, based_on=self.based_on)
        versions.save(script, self.content, author=self.author, now=now, note=self.note)
        script.refresh_from_db(fields=["revision"])


def restore_version(script: Script, version: Version, *, by: User | None, now: datetime) -> Version:
    """Make a new version that says what an older one said; the current one where it says that already.

    Settings stay as they are, and a draft is kept among the versions. Raises ScriptError for a text that could not be
    saved today: a Python that is gone, a requirement that is refused.
    """
    fields: dict[str, Any] = versions.fields_of(version)
    restored = update(script, by=by, now=now, note=f"Restored from {version}", **fields).version
    assert restored is not None, "a version was just saved"
    return restored


def keep_edit(
    script: Script,
    edit: working_copy.ExternalEdit,
    *,
    note: str,
    unless: dict[str, str] | None = None,
) -> None:
    """Put what was edited from outside among the versions, as it is about to be overwritten.

    Not where a version says it already, or is about to, by the name of `unless`.
    """
    if edit.fields != unless and versions.same_text(script, edit.fields) is None:
        versions.keep_draft(script, edit.fields, author=None, note=note)
    working_copy.know(script, edit)


def delete(script: Script, *, now: datetime) -> None:
    """Delete a script for people: its schedules fire no more; its rows, files, runs and its slug stay."""
    with transaction.atomic():
        found = Script.objects.present().select_related("folder").filter(pk=script.pk).first()
        if found is None:
            return
        place = found.folder.path if found.folder else ""
        Script.objects.filter(pk=script.pk).update(deleted_at=now, deleted_from=place, folder=None)
        script.deleted_at, script.deleted_from, script.folder = now, place, None
        schedules.rearm(script, now=now)


def duplicate(
    script: Script, *, by: User | None, now: datetime, name: str = "", folder: str | None = None
) -> Script:
    """Create a script that says what another's current version says, with its settings, variables and schedules.

    It is disabled, so that nothing runs twice before somebody has looked; files and runs are not copied. Without a name
    it is the other's with `(copy)` behind it, without a folder it lies beside it. Raises ScriptError.
    """
    interpreters.discover()  # asks what it has not asked yet by starting it: not within the transaction
    text = _fields(script)
    content = versions.check(**text)
    beside = script.folder.path if script.folder else ""
    values = {field: getattr(script, field) for field in CHANGEABLE - set(versions.FIELDS)}
    values |= limits.limits_of_script(script)
    values["name"] = name or _name_of_copy(script.name)
    values["folder"] = beside if folder is None else folder
    values["enabled"] = False
    note = f"Copied from `{script.slug}`"[: versions.MAX_NOTE]
    with transaction.atomic():
        copy = Script()
        _assign(copy, values)
        _insert(copy)
        versions.save(copy, content, author=by, now=now, note=note)
        _copy_rows(script, copy, now=now)
    return copy


def slugs(name: str) -> Iterator[str]:
    """The slugs a name may get, best first, taken ones left out: `hello-world`, `hello-world-2`...

    Names without any Latin letter or digit become `script`; digits among other letters are kept: `script-2024`.
    """
    base = humanize.safe_name(name)
    has_letters = any(map(str.isalpha, name))
    if has_letters and not any(map(str.isalpha, base)):
        base = f"script-{base}".rstrip("-")
    taken = set(Script.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    if base not in taken:
        yield base
    for number in range(2, len(taken) + 1000):
        slug = f"{base}-{number}"
        if slug not in taken:
            yield slug


# Insert a row under the first free slug; when someone takes that slug at the same moment, under the
# next.
def _insert(script: Script) -> None:
    for slug in slugs(script.name):
        script.slug = slug
        try:
            with transaction.atomic():
                script.save(force_insert=True)
        except IntegrityError:
            if not Script.objects.filter(slug=slug).exists():
                raise
        else:
            return


def _assign(script: Script, values: dict[str, Any]) -> None:
    checks: dict[str, Callable[[object], Any]] = {
        "name": validation.name,
        "folder": folders.ensure,
        "tags": validation.tags,
        "parameters": declarations.declared_in_settings,
        "description": _description,
    }
    for field, value in values.items():
        setattr(script, field, checks[field](value) if field in checks else value)
    try:
        script.clean_fields(
            exclude={"slug", "folder", "version", "environment", "wanted_environment"}
        )
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise ScriptError(f"`{field}`: {' '.join(messages)}", field=field) from error
    for field in LIMITS.keys() & values.keys():
        LIMITS[field].check(getattr(script, field))


def _name_of_copy(name: str) -> str:
    suffix = " (copy)"
    return name[: validation.MAX_NAME - len(suffix)] + suffix


# Give a copy the variables of its original, secrets as they are stored, and its schedules.
def _copy_rows(script: Script, copy: Script, *, now: datetime) -> None:
    variables = Variable.objects.filter(script=script)
    Variable.objects.bulk_create(_like(variable, script=copy) for variable in variables)
    machine = {
        "alarm": None,
        "paused_at": None,
        "paused_until": None,
        "message": "",
        "last_success_at": None,
    }
    Schedule.objects.bulk_create(
        _like(schedule, script=copy, stale_since=None, **machine)
        for schedule in script.schedules.all()
    )
    schedules.rearm(copy, now=now)


def _like(row: Any, **changes: object) -> Any:
    values = {
        field.name: getattr(row, field.name)
        for field in row._meta.concrete_fields
        if not field.primary_key
    }
    return type(row)(**values | changes)


def _description(value: object) -> str:
    return validation.text(value, field="description")


def _fields(script: Script) -> dict[str, str]:
    if script.version:
        return versions.fields_of(script.version)
    return dict.fromkeys(versions.FIELDS, "")


def _refuse_unknown(names: set[str]) -> None:
    if names:
        unknown = sorted(names)[0]
        raise ScriptError(
            f"`{unknown}` is no changeable field of a script\nhint: there are {', '.join(sorted(CHANGEABLE))}",
            field=unknown,
        )
