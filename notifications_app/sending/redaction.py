"""What receivers answer, without the secrets of the address they were reached by."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from notifications_app.delivery.letters import ANSWER_LENGTH
from notifications_app.sending import texts

_HIDDEN = "***"
MIN_LENGTH = 6  # shorter parts are words such as `hooks`, not secrets
_SEPARATORS = re.compile(r"[/:@?&=#,]+")
_SECRET_FIELDS = ("password", "api_key")


def readable(answer: str, target: dict[str, Any]) -> str:
    """Return a receiver's words on one line, cut, with every part of the target that may be secret hidden."""
    for secret in sorted(_secrets(target), key=len, reverse=True):
        answer = answer.replace(secret, _HIDDEN)
    return texts.cut(texts.one_line(answer), ANSWER_LENGTH)


def _secrets(target: dict[str, Any]) -> Iterator[str]:
    for field in _SECRET_FIELDS:
        if target.get(field):
            yield str(target[field])
    for secret in target.get("secrets", ()):
        yield from (secret, secret.removeprefix("whsec_"))
    scheme, _, rest = str(target.get("url", "")).partition("://")
    if scheme in ("http", "https"):
        # The host is no secret there; what comes before and behind it may be.
        login, at, after = rest.rpartition("@")
        rest = login + at + after.partition("/")[2]
    for part in _SEPARATORS.split(rest):
        if len(part) >= MIN_LENGTH:
            yield from (part, unquote(part))
