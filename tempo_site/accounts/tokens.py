"""Tokens: a prefix that says what they are for, 30 random characters, and a check sum that finds typing errors."""

# The check sum is for our own forms and commands. A door looks a token up by its digest and asks for nothing else:
# so whoever tries tokens learns nothing from the time of an answer, and tokens of other forms go on working.

import secrets
import string
import zlib

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
RANDOM_LENGTH = 30  # 178 bits
SUM_LENGTH = 6  # as many characters as 32 bits need

KEY_PREFIX = "tempo_"


def make_token(prefix: str = KEY_PREFIX) -> str:
    """Return a new token that begins with `prefix`."""
    text = prefix + "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_LENGTH))
    return text + _check_sum(text)


def is_well_formed(token: str, *, prefix: str = KEY_PREFIX) -> bool:
    """Return whether a token was copied as a whole and without an error."""
    if len(token) != len(prefix) + RANDOM_LENGTH + SUM_LENGTH or not token.startswith(prefix):
        return False
    text = token[:-SUM_LENGTH]
    return text.isascii() and token == text + _check_sum(text)


def _check_sum(text: str) -> str:
    rest = zlib.crc32(text.encode())
    characters = []
    for _ in range(SUM_LENGTH):
        rest, place = divmod(rest, len(ALPHABET))
        characters.append(ALPHABET[place])
    return "".join(reversed(characters))
