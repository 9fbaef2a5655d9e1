"""The forms of a secret: its parts that are secret themselves, and how JSON, Python, URLs and encoders write each."""

# Values and lines of under four characters are not looked for, nor values of under six within JSON: `true`, `root` and
# `admin` stand in much output that gives nothing away.

import base64
import binascii
import json
import re
from collections.abc import Iterator

MIN_LENGTH = 4  # characters
MIN_JSON_LENGTH = 6
MAX_JSON_VALUES = 200  # the longest; each part costs time with each piece of output
_MIN_ENCODED = 8
_MIN_TOKEN = 8  # in place of user and password in a URL
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~")
_USER_OF_URL = re.compile(r"://([^\s/?#]+)@")
_PERCENT = re.compile(rb"%([0-9a-fA-F]{2})")


def forms_of(secret: bytes) -> Iterator[bytes]:
    # The line end of a pasted secret is none, but ends a line.
    text = secret.decode(errors="replace").strip()
    values = _values_within(text)
    for part in {
        text,
        *_lines(text),
        *values,
        *(line for value in values for line in _lines(value)),
    }:
        if len(part) >= MIN_LENGTH:
            yield from _written(part)
    if len(text) >= MIN_LENGTH:
        yield from _encoded(secret.strip())
    for value in values:
        yield from _encoded(value.encode(errors="replace"))


def _lines(text: str) -> Iterator[str]:
    return (line.strip() for line in text.splitlines())


def _values_within(text: str) -> set[str]:
    values = sorted(_strings_of_json(text), key=len, reverse=True)[:MAX_JSON_VALUES]
    return {
        *values,
        *(password for part in (text, *values) for password in _passwords_of_urls(part)),
    }


def _strings_of_json(text: str) -> Iterator[str]:
    if not text.startswith(("{", "[")):
        return
    try:
        waiting = [json.loads(text)]
    except (ValueError, RecursionError):
        return
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, str) and len(value.strip()) >= MIN_JSON_LENGTH:
            yield value.strip()


def _passwords_of_urls(text: str) -> Iterator[str]:
    for found in _USER_OF_URL.finditer(text):
        user, colon, password = found[1].partition(":")
        if not colon and len(user) >= _MIN_TOKEN:
            password = user
        if len(password) >= MIN_LENGTH:
            yield password
            yield _PERCENT.sub(_byte, password.encode()).decode(errors="replace")


def _byte(found: re.Match[bytes]) -> bytes:
    return bytes([int(found[1], 16)])


def _written(text: str) -> Iterator[bytes]:
    plain = text.encode(errors="replace")
    yield plain
    for quoted in (
        json.dumps(text),
        json.dumps(text, ensure_ascii=False),
        repr(text),
        ascii(text),
    ):
        yield quoted[1:-1].encode(errors="replace")
    for unescaped, space in ((b"", b"%20"), (b"/", b"%20"), (b"", b"+")):
        escaped = b"".join(_percent_encode(byte, unescaped, space) for byte in plain)
        yield escaped
        yield _PERCENT.sub(lambda found: found[0].lower(), escaped)


def _percent_encode(byte: int, unescaped: bytes, space: bytes) -> bytes:
    if byte == 0x20:
        return space
    if byte in _UNRESERVED or byte in unescaped:
        return bytes([byte])
    return b"%%%02X" % byte


def _encoded(secret: bytes) -> Iterator[bytes]:
    digits = binascii.hexlify(secret)
    encoded = {digits, digits.upper(), *_base64(secret), *_base32(secret)}
    for form in encoded:
        if len(form) >= _MIN_ENCODED:
            yield form


def _base64(secret: bytes) -> Iterator[bytes]:
    # The characters that are the same whatever stands before and after, for each of the three ways to align.
    for shift in range(3):
        encoded = binascii.b2a_base64(bytes(shift) + secret, newline=False)
        core = encoded[-(-8 * shift // 6) : 8 * (shift + len(secret)) // 6]
        yield core
        yield core.replace(b"+", b"-").replace(b"/", b"_")


def _base32(secret: bytes) -> Iterator[bytes]:
    # At the begin of what is encoded alone: within a longer text it would stand in five more ways, each in two cases.
    core = base64.b32encode(secret)[: 8 * len(secret) // 5]
    yield core
    yield core.lower()
