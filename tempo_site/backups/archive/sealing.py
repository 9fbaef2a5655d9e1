"""A file under a passphrase: scrypt makes the key, AES-GCM seals pieces of 64 KiB one by one, the last one marked.

As in age: the nonce is the piece's number and whether it is the last, so that no piece can be moved, left out or cut
off. The header in clear says how the key is made; it is part of what each piece proves.
"""

import base64
import json
import os
import struct
from typing import IO, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from tempo_site.backups.archive.manifest import SEALED_MAGIC, BackupError

PIECE, TAG = 64 * 1024, 16
COST, MAX_COST = 2**16, 2**20  # 64 MB of memory, 0.2 s
BLOCK, SALT_BYTES, KEY_BYTES = 8, 16, 32
MAX_HEADER = 4096
_NONCE = struct.Struct(">3xQ?")


class Sealer:
    """Writes sealed pieces; `close` seals the last one and leaves the file open."""

    def __init__(self, file: IO[bytes], passphrase: str) -> None:
        salt = os.urandom(SALT_BYTES)
        fields = {"scrypt": COST, "block": BLOCK, "salt": base64.b64encode(salt).decode()}
        self._header = SEALED_MAGIC + json.dumps(fields).encode() + b"\n"
        self._box = AESGCM(_key(passphrase, salt, COST))
        self._file = file
        self._waiting = bytearray()
        self._number = 0
        file.write(self._header)

    def write(self, data: bytes) -> None:
        self._waiting += data
        while len(self._waiting) > PIECE:  # the last piece is known as such at the end only
            self._seal(bytes(self._waiting[:PIECE]), is_last=False)
            del self._waiting[:PIECE]

    def close(self) -> None:
        self._seal(bytes(self._waiting), is_last=True)
        self._waiting.clear()

    def _seal(self, piece: bytes, *, is_last: bool) -> None:
        nonce = _NONCE.pack(self._number, is_last)
        self._file.write(self._box.encrypt(nonce, piece, self._header))
        self._number += 1


class Opener:
    """Reads what was sealed, front to back. Raise BackupError."""

    def __init__(self, file: IO[bytes], passphrase: str) -> None:
        self._header = SEALED_MAGIC + file.readline(MAX_HEADER)
        if not passphrase:
            raise BackupError("It was made with a passphrase.\nhint: give the passphrase")
        cost, salt = _read_header(self._header)
        self._box = AESGCM(_key(passphrase, salt, cost))
        self._file = file
        self._number = 0
        self._opened = b""
        self._ahead = file.read(PIECE + TAG)
        self._is_over = False

    def read(self, size: int = -1, /) -> bytes:
        while not self._is_over and (size < 0 or len(self._opened) < size):
            self._opened += self._next()
        count = len(self._opened) if size < 0 else size
        found, self._opened = self._opened[:count], self._opened[count:]
        return found

    def _next(self) -> bytes:
        piece, self._ahead = self._ahead, self._file.read(PIECE + TAG)
        self._is_over = not self._ahead
        try:
            opened = self._box.decrypt(
                _NONCE.pack(self._number, self._is_over), piece, self._header
            )
        except InvalidTag:
            raise BackupError(self._trouble()) from None
        self._number += 1
        return opened

    def _trouble(self) -> str:
        if self._number == 0:
            return "The passphrase is another one, or its beginning is damaged."
        return f"It is damaged or cut off at piece {self._number + 1} of 64 KiB."


def _read_header(header: bytes) -> tuple[int, bytes]:
    try:
        fields: dict[str, Any] = json.loads(header.removeprefix(SEALED_MAGIC))
        cost, salt = int(fields["scrypt"]), base64.b64decode(fields["salt"], validate=True)
        is_known = fields["block"] == BLOCK and 2**10 <= cost <= MAX_COST and cost & (cost - 1) == 0
    except (ValueError, LookupError, TypeError) as error:
        raise BackupError("Its beginning is damaged.") from error
    if not is_known:
        raise BackupError("Its beginning is damaged: nobody makes keys in this way.")
    return cost, salt


def _key(passphrase: str, salt: bytes, cost: int) -> bytes:
    return Scrypt(salt=salt, length=KEY_BYTES, n=cost, r=BLOCK, p=1).derive(passphrase.encode())
