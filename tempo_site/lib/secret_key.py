"""The secret key: the operator's if strong enough, else a key that is generated once into the data folder."""

import contextlib
import os
import secrets
import tempfile
from pathlib import Path

from tempo_site.lib import files

# Values that people paste from examples, Tempo's own documentation included.
SAMPLES = frozenset(
    {"your-secret-key", "change-me", "changeme", "secret", "your-api-key", "your-default-api-key"}
)
MINIMUM_LENGTH = 32
MIN_DIFFERENT_CHARACTERS = 8
RANDOM_BYTES = 48
# In the data folder; the old key is there only while keys are being changed.
NAME = "secret_key"
OLD_NAME = "secret_key.old"


def is_weak(value: str) -> bool:
    plain = value.strip()
    if plain.lower() in SAMPLES or plain.startswith("django-insecure-"):
        return True
    return len(plain) < MINIMUM_LENGTH or len(set(plain)) < MIN_DIFFERENT_CHARACTERS


def choose(configured: str, data_path: Path) -> tuple[str, str]:
    """Return the key to use and, when the configured key was refused, a sentence for the operator (else "")."""
    if configured and not is_weak(configured):
        return configured, ""
    key = read_or_generate(data_path / NAME)
    if not configured:
        return key, ""
    return key, (
        "PYSCHED_SECRET_KEY is a sample or too short and was ignored; a generated key in the data folder is used. "
        "hint: unset it, or set 32 or more random characters"
    )


def for_this_process() -> str:
    """Return a key that is not stored, for a process that cannot read the stored key and only says so."""
    return secrets.token_urlsafe(RANDOM_BYTES)


def read_or_generate(path: Path, *, random_bytes: int = RANDOM_BYTES) -> str:
    """Return the key stored at `path` (mode 0600), made at the first call; two processes at once agree on one key."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        descriptor, beside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(random_bytes))
            file.flush()
            _give_to_owner_of(path.parent, file.fileno())
            os.fsync(file.fileno())
        _place(Path(beside), path)
    return path.read_text().strip()


def _give_to_owner_of(folder: Path, descriptor: int) -> None:
    # A key of root's would be closed to the Tempo of the user whose folder it is.
    if os.geteuid() == 0:
        owner = folder.stat()
        with contextlib.suppress(PermissionError):  # a share that lets root give nothing away
            os.fchown(descriptor, owner.st_uid, owner.st_gid)


def _place(beside: Path, path: Path) -> None:
    # Unlike rename, link never replaces a key that another starter made meanwhile.
    try:
        os.link(beside, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without hard links: the starters wait for one another
        with files.locked_folder(path.parent):
            if not path.exists():
                beside.rename(path)
    beside.unlink(missing_ok=True)


def stored(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""
