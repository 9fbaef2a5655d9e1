"""Secrets at rest: text encrypted with Fernet under a key that is derived from the secret key.

The library takes 4 MB for good in a process that imports it. What is needed now and then, for a message or a form, is
done by a program of its own (a twentieth of a second); where the library is here already, it is used.
"""

import base64
import functools
import hashlib
import hmac
import importlib
import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django
from django.conf import settings
from django.views.decorators.debug import sensitive_variables

from tempo_site.lib import secret_key

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

PURPOSE = b"tempo: values of secret variables, v1"  # another use of the secret key gets another key
LIBRARY = "cryptography.fernet"
TIMEOUT_S = 60.0
_PROGRAM = Path(__file__).parent / "programs" / "fernet.py"
_PACKAGES = Path(django.__file__).absolute().parent.parent


class DecryptionError(Exception):
    """A text that no known key decrypts: the text was encrypted with another key, or is damaged."""


@sensitive_variables()
def encrypt(text: str) -> str:
    if LIBRARY in sys.modules:
        return _fernet_for(tuple(known_keys())).encrypt(text.encode()).decode("ascii")
    encrypted: str = _by_program(encrypt=[text])["encrypt"][0]
    return encrypted


@sensitive_variables()
def decrypt(encrypted: str) -> str:
    """Return the plain text, by the library in this process. Raise DecryptionError."""
    try:
        return _fernet_for(tuple(known_keys())).decrypt(encrypted.encode()).decode()
    except (_library().InvalidToken, UnicodeDecodeError) as error:
        raise DecryptionError("it was encrypted with another secret key") from error


@sensitive_variables()
def decrypt_all(encrypted: Iterable[str]) -> dict[str, str | None]:
    """Return the plain texts by what was encrypted, None where no known key decrypts it; leaves no library behind."""
    texts = list(dict.fromkeys(encrypted))
    if not texts:
        return {}
    if LIBRARY in sys.modules:
        return {text: _decrypted_or_none(text) for text in texts}
    return dict(zip(texts, _by_program(decrypt=texts)["decrypt"], strict=True))


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


def _decrypted_or_none(text: str) -> str | None:
    try:
        return decrypt(text)
    except DecryptionError:
        return None


@sensitive_variables()
def _by_program(*, encrypt: Sequence[str] = (), decrypt: Sequence[str] = ()) -> Any:
    keys = [_derive(key).decode() for key in known_keys()]
    done = subprocess.run(
        [sys.executable, "-P", "-s", str(_PROGRAM)],
        input=json.dumps({"keys": keys, "encrypt": encrypt, "decrypt": decrypt}),
        capture_output=True,
        check=True,
        cwd="/",
        env={"PYTHONPATH": str(_PACKAGES), "LANG": "C.UTF-8"},
        encoding="utf-8",
        timeout=TIMEOUT_S,
    )
    return json.loads(done.stdout)


# Encrypts with the first key, decrypts with all.
@functools.lru_cache(maxsize=4)
@sensitive_variables()
def _fernet_for(keys: tuple[str, ...]) -> "MultiFernet":
    library = _library()
    fernets = [library.Fernet(_derive(key)) for key in keys]
    return library.MultiFernet(fernets)  # type: ignore[no-any-return]


@sensitive_variables()
def _derive(key: str) -> bytes:
    # HKDF (RFC 5869) with SHA-256, without a salt, to one block.
    extracted = hmac.digest(bytes(32), key.encode(), hashlib.sha256)
    derived = hmac.digest(extracted, PURPOSE + b"\x01", hashlib.sha256)
    return base64.urlsafe_b64encode(derived)


def _library() -> Any:
    return importlib.import_module(LIBRARY)
