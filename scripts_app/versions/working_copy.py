"""The readable copies of a script, `main.py` and `requirements.txt`, and edits of the copies from outside."""

# `Script.copies` has the SHA-256 of the copies that Tempo knows. Another content is an edit from outside (over a share,
# in an editor) and is not overwritten before a version has the text.

import hashlib
import os
import stat
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from scripts_app import validation
from scripts_app.models import Script, Version
from scripts_app.validation import ScriptError
from tempo_site.lib import files, paths

FIELDS = {"main.py": "code", "requirements.txt": "requirements"}
MAX_MTIME_S = 2**33

_copying = threading.Lock()  # of two saves at once the last one writes the current version


@dataclass(frozen=True, kw_only=True)
class CopyOnDisk:
    text: str = ""
    problem: str = ""
    changed_at: datetime

    @property
    def digest(self) -> str:
        return digest(self.text)


@dataclass(frozen=True, kw_only=True)
class ExternalEdit:
    code: str
    requirements: str
    python_version: str
    changed_at: datetime
    problem: str  # of the files
    digests: dict[str, str]  # of the edited files, by name

    @property
    def fields(self) -> dict[str, str]:
        return {
            "code": self.code,
            "requirements": self.requirements,
            "python_version": self.python_version,
        }

    @property
    def seen(self) -> str:
        """Return the digest of this state, so that people decide about the state on their page."""
        return digest("\0".join([self.code, self.requirements, self.problem]))


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def digests_of(texts: Mapping[str, str]) -> dict[str, str]:
    """Return what `Script.copies` holds when the copies say these fields of a version."""
    return {name: digest(texts[field]) for name, field in FIELDS.items()}


def find_edit(script: Script) -> ExternalEdit | None:
    """Return the edit of the copies from outside; None for unchanged or missing copies."""
    stored = Script.objects.select_related("version").filter(pk=script.pk).first()
    if stored is None or stored.version is None:
        return None
    texts: dict[str, str] = {}
    edited: dict[str, CopyOnDisk] = {}
    for name, field in FIELDS.items():
        texts[name] = getattr(stored.version, field)
        copy = read(script.slug, name)
        if copy is not None and not _is_known(stored, name, copy, texts[name]):
            edited[name] = copy
    if not edited:
        return None
    digests = {}
    for name, copy in edited.items():
        if not copy.problem:
            texts[name] = copy.text
            digests[name] = copy.digest
    problems = [copy.problem for copy in edited.values() if copy.problem]
    return ExternalEdit(
        code=texts["main.py"],
        requirements=texts["requirements.txt"],
        python_version=stored.version.python_version,
        changed_at=max(copy.changed_at for copy in edited.values()),
        problem=" ".join(problems),
        digests=digests,
    )


def know(script: Script, edit: ExternalEdit) -> None:
    stored = Script.objects.only("copies").get(pk=script.pk)
    Script.objects.filter(pk=script.pk).update(copies=stored.copies | edit.digests)


def write(script_id: int) -> None:
    """Write the copies of the current version, except over unknown edits, and create `files/`. Raises OSError."""
    with _copying:
        script = Script.objects.select_related("version").get(pk=script_id)
        if script.version is None:
            return
        folder = paths.script(script.slug)
        paths.make_passable(folder)
        paths.make_closed(paths.script_files(script.slug))
        known = dict(script.copies)
        for name, field in FIELDS.items():
            text = getattr(script.version, field)
            found = read(script.slug, name)
            if found is None or _is_known(script, name, found, text):
                files.write_atomic(folder / name, text, durable=False)
                known[name] = digest(text)
        if known != script.copies:
            Script.objects.filter(pk=script.pk).update(copies=known)


def read(slug: str, name: str) -> CopyOnDisk | None:
    """Return a copy, or None. Links are not followed, and a FIFO does not block."""
    path = paths.script(slug) / name
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        problem = f"`{name}` cannot be read: {error.strerror}."
        return CopyOnDisk(problem=problem, changed_at=datetime.now(UTC))
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        mtime_s = min(max(int(status.st_mtime), 0), MAX_MTIME_S)
        changed_at = datetime.fromtimestamp(mtime_s, UTC)
        if not stat.S_ISREG(status.st_mode):
            return CopyOnDisk(problem=f"`{name}` is no file.", changed_at=changed_at)
        raw = file.read(validation.MAX_TEXT_BYTES + 4)
    try:
        decoded = raw.decode("utf-8-sig")  # editors on Windows may write a byte order mark
        text = validation.text(decoded, field=name)
    except UnicodeDecodeError:
        problem = f"`{name}` is no UTF-8 text: save it as UTF-8."
        return CopyOnDisk(problem=problem, changed_at=changed_at)
    except ScriptError as refusal:
        return CopyOnDisk(problem=f"{refusal}.", changed_at=changed_at)
    return CopyOnDisk(text=text, changed_at=changed_at)


def _is_known(
    script: Script,
    name: str,
    found: CopyOnDisk,
    text: str,
) -> bool:
    # `text` is the text of the current version.
    if found.problem:
        return False
    if found.text == text or found.digest == script.copies.get(name):
        return True
    if name in script.copies:
        return False
    # An older Tempo stored no digests: the copy may be an older version's that could not be replaced.
    fields = {FIELDS[name]: found.text}
    return Version.objects.filter(script=script, **fields).exists()
