"""The signature of Standard Webhooks (https://www.standardwebhooks.com), for what Tempo sends and for what it gets."""

import base64
import binascii
import secrets

SECRET_PREFIX = "whsec_"
SECRET_BYTES = 32


def new_secret() -> str:
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signed_start(message_id: str, timestamp: str) -> bytes:
    """Return what stands before the body in the text that is signed."""
    return f"{message_id}.{timestamp}.".encode()


def key_of_secret(secret: str) -> bytes:
    """Return the bytes to sign with. Raise ValueError where a `whsec_` secret is not base64."""
    if not secret.startswith(SECRET_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError(f"what follows `{SECRET_PREFIX}` is not base64") from error


def as_header(digest: bytes) -> str:
    """Return one of the signatures that `webhook-signature` holds, separated by spaces."""
    return f"v1,{base64.b64encode(digest).decode()}"
