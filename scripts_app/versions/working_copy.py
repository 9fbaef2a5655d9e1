"""The readable copies of a script, `main.py` and `requirements.txt`: written here, and read for edits from outside.

`Script.copies` has the SHA-256 of what Tempo last knew to lie there. What it does not know somebody has edited: over a
share, in an editor. That is never overwritten before it is among the versions.
"""

import hashlib
import os
import stat
import threading
from dataclasses import dataclass
from datetime import UTC, datetime

from scripts_app import validation
from scripts_app.models import Script, Version
from scripts_app.validation import ScriptError
from tempo_site.lib import files, paths

FIELDS = {"main.py": "code", "requirements.txt": "requirements"}

_copying = threading.Lock()  # two saves at once: whoever copies last copies what is current then


@dataclass(frozen=True, kw_only=True)
class CopyOnDisk:
    """What lies in a copy's place: its text with `\\n` line ends, or the problem that keeps it from being one."""

    text: str = ""
    problem: str = ""
    changed_at: datetime

    @property
    def digest(self) -> str:
        """SHA-256 of the text."""
        return digest(self.text)


@dataclass(frozen=True, kw_only=True)
class ExternalEdit:
    """What somebody made of a script's copies from outside: the whole text then, and what is wrong with the files.

    `seen` names this very state; `digests` are those of the files that were edited, by their names.
    """

    code: str
    requirements: str
    python_version: str
    changed_at: datetime
    problem: str
    digests: dict[str, str]

    @property
    def fields(self) -> dict[str, str]:
        """What a version would say."""
        return {
            "code": self.code,
            "requirements": self.requirements,
            "python_version": self.python_version,
        }

    @property
    def seen(self) -> str:
        """What somebody has to show who decides about it."""
        return digest("\0".join([self.code, self.requirements, self.problem]))


def digest(text: str) -> str:
    """SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def find_edit(script: Script) -> ExternalEdit | None:
    """Look whether the copies were edited from outside; None when they are what Tempo wrote, or not there."""
    stored = Script.objects.select_related("version").filter(pk=script.pk).first()
    if stored is None or stored.version is None:
        return None
    said = {name: getattr(stored.version, field) for name, field in FIELDS.items()}
    found = {name: copy for name in FIELDS if (copy := read(script.slug, name))}
    edited = {
        name: copy for name, copy in found.items() if not _is_known(stored, name, copy, said[name])
    }
    if not edited:
        return None
    texts = said | {name: copy.text for name, copy in edited.items() if not copy.problem}
    return ExternalEdit(
        code=texts["main.py"],
        requirements=texts["requirements.txt"],
        python_version=stored.version.python_version,
        changed_at=max(copy.changed_at for copy in edited.values()),
        problem=" ".join(copy.problem for copy in edited.values() if copy.problem),
        digests={name: copy.digest for name, copy in edited.items() if not copy.problem},
    )


def know(script: Script, edit: ExternalEdit) -> None:
    """Remember that the text of an edit is kept elsewhere by now: it may be overwritten."""
    stored = Script.objects.only("copies").get(pk=script.pk)
    Script.objects.filter(pk=script.pk).update(copies=stored.copies | edit.digests)


def write(script_id: int) -> None:
    """Write the copies of the current version and make `files/`; an edit that is not known is left. Raises OSError."""
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
    """Read a copy; None when there is none. A link is not followed, nothing is waited for."""
    path = paths.script(slug) / name
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        return CopyOnDisk(
            problem=f"`{name}` cannot be read: {error.strerror}.", changed_at=datetime.now(UTC)
        )
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        changed_at = datetime.fromtimestamp(min(max(int(status.st_mtime), 0), 2**33), UTC)
        if not stat.S_ISREG(status.st_mode):
            return CopyOnDisk(problem=f"`{name}` is no file.", changed_at=changed_at)
        raw = file.read(validation.MAX_TEXT_BYTES + 4)
    try:
        # Windows editors mark their files
        text = validation.text(raw.decode("utf-8-sig"), field=name)
    except UnicodeDecodeError:
        return CopyOnDisk(problem=f"`{name}` is no UTF-8 text.", changed_at=changed_at)
    except ScriptError as refusal:
        return CopyOnDisk(problem=f"{refusal}.", changed_at=changed_at)
    return CopyOnDisk(text=text, changed_at=changed_at)


def _is_known(script: Script, name: str, found: CopyOnDisk, text: str) -> bool:
    """Whether Tempo wrote what lies there, or has seen it; `text` is what its version says."""
    if found.problem:
        return False
    if found.text == text or found.digest == script.copies.get(name):
        return True
    # Of an older Tempo, which kept no record: a copy that could not be rewritten is an older version's.
    has_record = name in script.copies
    return (
        not has_record
        and Version.objects.filter(script=script, **{FIELDS[name]: found.text}).exists()
    )
