"""Another secret key: all secrets are encrypted anew, and readable at every moment in between."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import transaction

from scripts_app.models import Variable
from scripts_app.variables import encryption
from tempo_site.lib import files, secret_key


@dataclass(frozen=True, kw_only=True)
class Rotation:
    """What was done: how many secrets are encrypted anew, those that no key opens, whether a key was made."""

    count: int
    unreadable: list[str]
    has_new_key: bool


def rotate() -> Rotation:
    """Encrypt every secret with the newest secret key, which is made here when it is the data folder's own.

    Only while nothing else uses the data folder: a Tempo that runs knows the old key alone. Cut off anywhere, it may be
    repeated: until all secrets are encrypted anew, the old key lies beside the new one. Raises OSError.
    """
    folder: Path = settings.DATA_PATH
    current, old = folder / secret_key.NAME, folder / secret_key.OLD_NAME
    own = secret_key.stored(current)
    is_own = bool(own) and own == settings.SECRET_KEY
    was_broken_off = secret_key.stored(old) not in ("", own)
    has_new_key = is_own and not was_broken_off
    keys = encryption.known_keys()
    if has_new_key:
        new = secrets.token_urlsafe(secret_key.RANDOM_BYTES)
        _put(old, own, like=current)
        _put(current, new, like=current)
        keys = [new, *keys]
    count, unreadable = _reencrypt_all(keys)
    old.unlink(missing_ok=True)
    files.sync_folder(folder)
    return Rotation(count=count, unreadable=unreadable, has_new_key=has_new_key)


# Write a key for the user whose the other one is: root may be at work here for the service's user.
def _put(path: Path, key: str, *, like: Path) -> None:
    status = like.stat()
    files.write_atomic(path, key)
    if os.geteuid() == 0:
        os.chown(path, status.st_uid, status.st_gid, follow_symlinks=False)


# All of them or none; when and by whom each was set stays as it was.
def _reencrypt_all(keys: list[str]) -> tuple[int, list[str]]:
    count, unreadable = 0, []
    with transaction.atomic():
        for row in Variable.objects.filter(is_secret=True).select_related("script"):
            try:
                resealed = encryption.reencrypt(row.value, keys)
            except encryption.DecryptionError:
                unreadable.append(
                    f"{row.name} ({row.script.slug if row.script else 'for all scripts'})"
                )
            else:
                count += Variable.objects.filter(pk=row.pk, value=row.value).update(value=resealed)
    return count, unreadable
