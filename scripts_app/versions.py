"""Versions: what a script said at each moment. Rows are the truth; the files beside them are readable copies."""

import threading
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from scripts_app import environments, interpreters, requirements_text, validation
from scripts_app.models import Script, Version
from scripts_app.validation import ScriptError
from tempo_site.lib import files, paths

MAX_NOTE = 200

_copying = threading.Lock()  # two saves at once: whoever copies last copies what is current then


def save(
    script: Script,
    *,
    code: str,
    requirements: str,
    python_version: str,
    author: User | None,
    now: datetime,
    note: str = "",
) -> Version:
    """Make this the current version and ask for its environment; identical content returns the current one.

    The files of the script are rewritten after the commit. Raises ScriptError for what cannot be saved.
    """
    content = check(code=code, requirements=requirements, python_version=python_version)
    note = validation.line(note, field="note", most=MAX_NOTE)
    with transaction.atomic():
        script.version = Version.objects.filter(script=script).first()  # the newest: another save may have come between
        if script.version is None or _content_of(script.version) != content:
            script.version = _add(script, content, author=author, note=note)
            Script.objects.filter(pk=script.pk).update(version=script.version, updated_at=now)
        environments.want(script)
        transaction.on_commit(lambda: write_copies(script.pk), robust=True)  # a failure is logged: rows are the truth
    return script.version


def check(*, code: str, requirements: str, python_version: str) -> dict[str, str]:
    """Return the content of a version, normalised to `\\n`.

    Raises ScriptError: code over 1 MB or with NULs, a requirement that is refused, a Python that is not there.
    """
    content = {
        "code": validation.text(code, field="code"),
        "requirements": validation.text(requirements, field="requirements"),
        "python_version": validation.line(python_version, field="python_version", most=10),
    }
    requirements_text.normalise(content["requirements"])
    try:
        interpreters.choose(content["python_version"])  # asks programs for their version: never inside a transaction
    except interpreters.InterpreterMissing as error:
        raise ScriptError(str(error), field="python_version") from error
    return content


def write_copies(script_id: int) -> None:
    """Write `main.py` and `requirements.txt` of the current version and make `files/`. Raises OSError."""
    with _copying:
        script = Script.objects.select_related("version").get(pk=script_id)
        if script.version is None:
            return
        folder = paths.script(script.slug)
        for part in (folder.parent, folder, paths.script_files(script.slug)):
            part.mkdir(mode=0o700, parents=True, exist_ok=True)
        files.write_atomic(folder / "main.py", script.version.code, durable=False)
        files.write_atomic(folder / "requirements.txt", script.version.requirements, durable=False)


def _content_of(version: Version) -> dict[str, str]:
    return {name: getattr(version, name) for name in ("code", "requirements", "python_version")}


def _add(script: Script, content: dict[str, str], *, author: User | None, note: str) -> Version:
    number = script.version.number + 1 if script.version else 1
    return Version.objects.create(script=script, number=number, author=author, note=note, **content)
