"""Another secret key: all secrets are encrypted anew, and readable at every step in between."""

import itertools
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import Model

from scripts_app.models import Variable
from tempo_site.audit import trail
from tempo_site.lib import encryption, files, secret_key
from tempo_site.models import Setting
from tempo_site.stored_settings.registry import FIELDS


class StoredSecret(NamedTuple):
    """A field of a row that holds an encrypted text, with the words that name it."""

    row: Model
    field: str
    words: str


more_secrets: list[Callable[[], Iterable[StoredSecret]]] = []  # of other apps


@dataclass(frozen=True, kw_only=True)
class Rotation:
    """The result: the number of secrets encrypted anew, those that no key decrypts, whether a key was made."""

    count: int
    unreadable: list[str]
    has_new_key: bool


def rotate() -> Rotation:
    """Encrypt every secret with the newest secret key; a key of the data folder's own is made here.

    Only while nothing else uses the data folder: a running Tempo knows the old key alone. May be repeated wherever it
    was interrupted: until all secrets are encrypted anew, the old key lies beside the new key. Raise OSError.
    """
    folder: Path = settings.DATA_PATH
    current = folder / secret_key.NAME
    old = folder / secret_key.OLD_NAME
    own = secret_key.stored(current)
    is_own = bool(own) and own == settings.SECRET_KEY
    was_interrupted = secret_key.stored(old) not in ("", own)
    has_new_key = is_own and not was_interrupted
    keys = encryption.known_keys()
    if has_new_key:
        new = secrets.token_urlsafe(secret_key.RANDOM_BYTES)
        _write_key(old, own, like=current)
        _write_key(current, new, like=current)
        keys.insert(0, new)
    count, unreadable = _reencrypt_all(keys)
    old.unlink(missing_ok=True)
    files.sync_folder(folder)
    return Rotation(count=count, unreadable=unreadable, has_new_key=has_new_key)


# The new file belongs to the user of the other one: root may be at work here for the service's user.
def _write_key(path: Path, key: str, *, like: Path) -> None:
    status = like.stat()
    files.write_atomic(path, key)
    if os.geteuid() == 0:
        os.chown(path, status.st_uid, status.st_gid, follow_symlinks=False)


def _reencrypt_all(keys: list[str]) -> tuple[int, list[str]]:
    count = 0
    unreadable = []
    with transaction.atomic():
        for row, field, words in itertools.chain(_secrets(), *(each() for each in more_secrets)):
            stored = getattr(row, field)
            try:
                encrypted = encryption.reencrypt(stored, keys)
            except encryption.DecryptionError:
                unreadable.append(words)
                continue
            # By update(), so that time and author of the last change stay as they are.
            rows = type(row)._default_manager.filter(pk=row.pk, **{field: stored})
            count += rows.update(**{field: encrypted})
        trail.record("encrypted anew", kind="secrets", changes={"secrets": count})
    return count, unreadable


def _secrets() -> Iterator[StoredSecret]:
    secret = Variable.objects.filter(is_secret=True).exclude(value="")  # empty: to be set yet
    for variable in secret.select_related("script"):
        owner = variable.script.slug if variable.script else "for all scripts"
        yield StoredSecret(variable, "value", f"{variable.name} ({owner})")
    names = [field.name for field in FIELDS.values() if field.is_secret]
    for setting in Setting.objects.filter(name__in=names):
        yield StoredSecret(setting, "value", f"{setting.name} (a setting)")
