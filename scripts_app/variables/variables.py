"""Variables: names and values for the environment of a script or of all scripts, plain or secret."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet
from django.views.decorators.debug import sensitive_variables

from scripts_app.models import Script, Variable
from scripts_app.validation import ScriptError
from tempo_site.audit import trail
from tempo_site.lib import encryption
from tempo_site.lib.sqlite.prepared import Given, PreparedQuery

MAX_NAME = 100
MAX_VALUE_BYTES = 32 * 1024
# A run gets two scopes: spec.json and the request to start have room for both.
MAX_SCOPE_BYTES = 128 * 1024
MAX_VARIABLES = 200
MIN_MASKED = 4  # characters; a shorter value would be found everywhere
_CONTROL_CHARACTERS = {chr(code) for code in (*range(32), 127)} - set("\t\n\r")

ONLY_STAFF_SET_VARIABLES = (
    "Variables for all scripts are set by staff.\nhint: set one of the script"
)

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LOADER = (
    "it decides which foreign code is loaded into every program, or which of its checks are off"
)

_SHELL = "it changes what every shell does that a script starts"
_OWN = "Tempo sets it"
REFUSED_PREFIXES = {
    "TEMPO_": "such names are Tempo's own",
    "PYTHON": "such names change the interpreter itself, and Tempo sets some of them",
    "LD_": _LOADER,
}
REFUSED = {
    **dict.fromkeys(("GCONV_PATH", "GLIBC_TUNABLES", "LOCPATH", "NLSPATH"), _LOADER),
    **dict.fromkeys(("BASH_ENV", "BASHOPTS", "IFS", "PS4", "SHELLOPTS"), _SHELL),
    "PATH": f"{_OWN}: the programs of the script's environment come first in it",
    "VIRTUAL_ENV": f"{_OWN}: it names the script's environment",
    "HOME": f"{_OWN}: it is the script's working folder, where it may write",
    "TMPDIR": f"{_OWN}: it is the run's own folder, which is emptied at its end",
    "SSLKEYLOGFILE": "it has the keys of encrypted connections written to a file",
}


class SecretUnreadable(Exception):
    """A secret that a run needs cannot be decrypted; the sentence names the variable and the remedy."""


@dataclass(frozen=True, kw_only=True)
class RunVariables:
    """The variables of a run. The values of `secrets` go to the launcher, and never to a disk."""

    plain: dict[str, str]
    secrets: dict[str, str]

    def __repr__(self) -> str:
        return f"RunVariables(plain={sorted(self.plain)}, secrets={sorted(self.secrets)})"


NOTHING = RunVariables(plain={}, secrets={})
_OF_RUN = PreparedQuery(
    lambda: Variable.objects.filter(script=None) | Variable.objects.filter(script=Given("script"))
)


def variables_of(script: Script | None) -> QuerySet[Variable]:
    """Return the variables of a script by name; with None, those for all scripts."""
    return Variable.objects.filter(script=script).order_by("name")


@sensitive_variables()
def save(
    script: Script | None, *, name: str, value: str, is_secret: bool | None = None, by: str
) -> Variable:
    """Create or replace a variable; a secret is encrypted. Raise ScriptError.

    Without `is_secret` a variable stays as it was, and a new variable is plain. `by` is the author as pages show it.
    """
    name = checked_name(name)
    value = checked_value(value)
    with transaction.atomic():
        others = {row.name: row for row in variables_of(script)}
        before = others.pop(name, None)
        if is_secret is None:
            is_secret = before is not None and before.is_secret
        if is_secret and not value:
            raise ScriptError("A secret needs a value", field="value")
        stored = encryption.encrypt(value) if is_secret else value
        _refuse_too_much([row.value for row in others.values()], stored)
        fields = {"value": stored, "is_secret": is_secret, "updated_by": by[:150]}
        row, is_new = Variable.objects.update_or_create(script=script, name=name, defaults=fields)
        trail.record("created" if is_new else "changed", row, name=_full_name(script, name))
        return row


def reserve(script: Script, *, name: str, by: str) -> Variable:
    """Create a secret that has no value yet, unless the variable is there: no run starts before it is set."""
    name = checked_name(name)
    defaults = {"is_secret": True, "updated_by": by[:150]}
    with transaction.atomic():
        row, is_new = Variable.objects.get_or_create(script=script, name=name, defaults=defaults)
        if is_new:
            trail.record("created", row, name=_full_name(script, name))
    return row


def unsaved(name: object, value: object, *, others: Collection[Variable], by: str) -> Variable:
    """Return a plain variable, or without a value a secret that waits for its value, not stored. Raise ScriptError."""
    if value is None:
        return Variable(name=checked_name(name), is_secret=True, updated_by=by[:150])
    row = Variable(name=checked_name(name), value=checked_value(value), updated_by=by[:150])
    _refuse_too_much([other.value for other in others], row.value)
    return row


def create_all(rows: Sequence[Variable]) -> None:
    """Store what unsaved() has made, for scripts that have no others."""
    with transaction.atomic():
        Variable.objects.bulk_create(rows)
        trail.record_all("created", rows, name_of=lambda row: _full_name(row.script, row.name))


def remove(script: Script | None, name: str) -> bool:
    """Delete a variable; return whether there was one."""
    with transaction.atomic():
        row = variables_of(script).filter(name=name).first()
        if row is None:
            return False
        trail.record("deleted", row, name=_full_name(script, name))
        row.delete()
    return True


def _full_name(script: Script | None, name: str) -> str:
    # Of the value nothing is kept, secret or not: what is plain today may become a secret.
    return f"{name} of {script.slug}" if script else f"{name} of all scripts"


def inherited(script: Script) -> list[Variable]:
    """Return the variables for all scripts that this script does not replace by its own, by name."""
    own_names = variables_of(script).values("name")
    return list(variables_of(None).exclude(name__in=own_names))


@sensitive_variables()
def for_run(script: Script) -> RunVariables:
    """Return the script's own variables and the variables for all scripts. Raise SecretUnreadable."""
    found: dict[str, Variable] = {}
    for row in _OF_RUN.rows(script=script.pk):
        if row.name not in found or row.script_id is not None:
            found[row.name] = row
    plain = {}
    secrets = {}
    for name, row in found.items():
        if row.is_secret:
            secrets[name] = _decrypted(row)
        else:
            plain[name] = row.value
    return RunVariables(plain=plain, secrets=secrets)


@sensitive_variables()
def is_readable(row: Variable) -> bool:
    if not row.is_secret:
        return True
    try:
        encryption.decrypt(row.value)
    except encryption.DecryptionError:
        return False
    return True


@sensitive_variables()
def _decrypted(row: Variable) -> str:
    try:
        return encryption.decrypt(row.value)
    except encryption.DecryptionError as problem:
        where = "of this script" if row.script_id else "for all scripts"
        if not row.value:
            raise SecretUnreadable(
                f"The secret `{row.name}` {where} has no value yet.\nhint: set it under Variables"
            ) from None
        raise SecretUnreadable(
            f"The secret `{row.name}` {where} could not be decrypted: {problem}.\n"
            "hint: set it again, or give Tempo the key it had before as PYSCHED_OLD_SECRET_KEY"
        ) from None


def checked_name(name: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name) or len(name) > MAX_NAME:
        raise ScriptError(
            f"`{str(name)[:MAX_NAME]}` is no name of a variable\n"
            f"hint: letters A-Z and a-z, digits and `_`, no digit first, at most {MAX_NAME} characters",
            field="name",
        )
    why = _why_refused(name)
    if why:
        raise ScriptError(f"`{name}` cannot be set: {why}", field="name")
    return name


def _why_refused(name: str) -> str:
    if name in REFUSED:
        return REFUSED[name]
    for prefix, why in REFUSED_PREFIXES.items():
        if name.startswith(prefix):
            return why
    return ""


@sensitive_variables()
def checked_value(value: object) -> str:
    """Return a value that an environment can hold. Raise ScriptError, whose sentence never holds the value."""
    if not isinstance(value, str):
        raise ScriptError("`value` has to be text", field="value")
    if not _CONTROL_CHARACTERS.isdisjoint(value):
        raise ScriptError(
            "`value` contains a control character such as NUL\nhint: use base64", field="value"
        )
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise ScriptError(
            "`value` contains half a surrogate pair, which is no character", field="value"
        ) from None
    if size > MAX_VALUE_BYTES:
        raise ScriptError(
            f"`value` has {size:,} bytes; 32 kB is the most\nhint: keep it in a file", field="value"
        )
    return value


# A secret counts as it is stored, a third longer than its value.
def _refuse_too_much(others: list[str], stored: str) -> None:
    if len(others) >= MAX_VARIABLES:
        raise ScriptError(
            f"There are {len(others)} variables already; {MAX_VARIABLES} is the most", field="name"
        )
    size = sum(len(value.encode()) for value in [*others, stored])
    if size > MAX_SCOPE_BYTES:
        raise ScriptError(
            f"All values together would have {size:,} bytes; {MAX_SCOPE_BYTES:,} is the most\n"
            "hint: keep long texts in files of the script",
            field="value",
        )
