"""Secrets at rest: text encrypted with Fernet under a key that is derived from the secret key."""

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
    """A text that no known key decrypts: the text was encrypted with another key, or is damaged."""


@sensitive_variables()
def encrypt(text: str) -> str:
    return _fernet_for(tuple(known_keys())).encrypt(text.encode()).decode("ascii")


@sensitive_variables()
def decrypt(encrypted: str) -> str:
    """Return the plain text. Raise DecryptionError."""
    try:
        return _fernet_for(tuple(known_keys())).decrypt(encrypted.encode()).decode()
    except (_library().InvalidToken, UnicodeDecodeError) as error:
        raise DecryptionError("it was encrypted with another secret key") from error


@sensitive_variables()
def reencrypt(encrypted: str, keys: list[str]) -> str:
    """Encrypt with the first key a text that any of the keys decrypts; the time inside stays. Raise DecryptionError."""
    try:
        return _fernet_for(tuple(keys)).rotate(encrypted.encode()).decode("ascii")
    except _library().InvalidToken as error:
        raise DecryptionError("it was encrypted with another secret key") from error


def known_keys() -> list[str]:
    """Return the secret key, then the earlier keys that the settings name or the data folder still holds."""
    folder: Path = settings.DATA_PATH
    keys = [settings.SECRET_KEY, settings.OLD_SECRET_KEY]
    for name in (secret_key.NAME, secret_key.OLD_NAME):
        keys.append(secret_key.stored(folder / name))
    return list(dict.fromkeys(filter(None, keys)))


# Encrypts with the first key, decrypts with all.
@functools.lru_cache(maxsize=4)
@sensitive_variables()
def _fernet_for(keys: tuple[str, ...]) -> "MultiFernet":
    library = _library()
    fernets = [library.Fernet(_derive(key)) for key in keys]
    return library.MultiFernet(fernets)  # type: ignore[no-any-return]


@sensitive_variables()
def _derive(key: str) -> bytes:
    hashes = importlib.import_module("cryptography.hazmat.primitives.hashes")
    hkdf = importlib.import_module("cryptography.hazmat.primitives.kdf.hkdf")
    derivation = hkdf.HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=PURPOSE)
    derived: bytes = derivation.derive(key.encode())
    return base64.urlsafe_b64encode(derived)


# Imported with the first secret: the library takes 4.5 MB, and most installations start without any secret.
def _library() -> Any:
    return importlib.import_module("cryptography.fernet")
