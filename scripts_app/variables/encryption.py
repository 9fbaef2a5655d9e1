"""Secrets at rest: text sealed with Fernet under a key that is derived from the secret key."""

import base64
import functools
import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.views.decorators.debug import sensitive_variables

from tempo_site.lib import secret_key

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

PURPOSE = b"tempo: values of secret variables, v1"  # another use of the secret key gets another key


class DecryptionError(Exception):
    """What was sealed cannot be opened with any key that is known: it was sealed with another one, or it is damaged."""


@sensitive_variables()
def encrypt(text: str) -> str:
    """Encrypt a text with the secret key."""
    return _box(tuple(known_keys())).encrypt(text.encode()).decode("ascii")


@sensitive_variables()
def decrypt(sealed: str) -> str:
    try:
        return _box(tuple(known_keys())).decrypt(sealed.encode()).decode()
    except (_fernet().InvalidToken, UnicodeDecodeError) as error:
        raise DecryptionError("it was encrypted with another secret key") from error


@sensitive_variables()
def reencrypt(sealed: str, keys: list[str]) -> str:
    """Encrypt with the first key what any of them opens; when it was sealed stays what it was. Raises Unreadable."""
    try:
        return _box(tuple(keys)).rotate(sealed.encode()).decode("ascii")
    except _fernet().InvalidToken as error:
        raise DecryptionError("it was encrypted with another secret key") from error


def known_keys() -> list[str]:
    """The secret key, then those that came before it, as far as they are still told or lie in the data folder."""
    folder: Path = settings.DATA_PATH
    stored = [secret_key.stored(folder / name) for name in (secret_key.NAME, secret_key.OLD_NAME)]
    return list(
        dict.fromkeys(filter(None, [settings.SECRET_KEY, settings.OLD_SECRET_KEY, *stored]))
    )


@functools.lru_cache(maxsize=4)
@sensitive_variables()
def _box(keys: tuple[str, ...]) -> "MultiFernet":
    fernet = _fernet()
    return fernet.MultiFernet([fernet.Fernet(_derived(key)) for key in keys])  # type: ignore[no-any-return]


@sensitive_variables()
def _derived(key: str) -> bytes:
    hashes = importlib.import_module("cryptography.hazmat.primitives.hashes")
    hkdf = importlib.import_module("cryptography.hazmat.primitives.kdf.hkdf")
    derived: bytes = hkdf.HKDF(
        algorithm=hashes.SHA256(), length=32, salt=None, info=PURPOSE
    ).derive(key.encode())
    return base64.urlsafe_b64encode(derived)


# The library, loaded with the first secret: it takes 4.5 MB, and most installations start without
# any.
def _fernet() -> Any:
    return importlib.import_module("cryptography.fernet")
