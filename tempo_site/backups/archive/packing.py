"""Zstandard, or gzip where it is missing: several frames behind each other, and a digest of all at the very end.

The digest lies in a frame that every program skips, so that `tar --zstd` and `tar -z` read a backup as well.
"""

import contextlib
import gzip
import hashlib
import importlib
import struct
import zlib
from pathlib import Path
from typing import IO, Any, Protocol

from tempo_site.backups.archive.manifest import GZIP, MAGIC, ZSTD, BackupError


def _zstandard() -> Any:
    for name in ("compression.zstd", "backports.zstd"):  # Python 3.14 has it
        with contextlib.suppress(ImportError):
            return importlib.import_module(name)
    return None


zstd = _zstandard()

LEVEL, GZIP_LEVEL = 3, 5
PIECE = 2**20
HELD = 64 * 1024  # cut at each read: a megabyte would be copied as often
DIGEST_BYTES = hashlib.sha256().digest_size
_ZSTD_SKIPPED = struct.pack("<II", 0x184D2A50, DIGEST_BYTES)
# An empty member whose header has an extra field `TE`; RFC 1952.
_GZIP_SKIPPED = (
    b"\x1f\x8b\x08\x04" + bytes(6) + struct.pack("<H2sH", DIGEST_BYTES + 4, b"TE", DIGEST_BYTES)
)
_GZIP_END = b"\x03\x00" + bytes(8)
_END_BYTES = {
    ZSTD: len(_ZSTD_SKIPPED) + DIGEST_BYTES,
    GZIP: len(_GZIP_SKIPPED) + DIGEST_BYTES + len(_GZIP_END),
}
# What reading damaged data raises.
DAMAGE: tuple[type[Exception], ...] = (EOFError, OSError, zlib.error)
if zstd is not None:
    DAMAGE += (zstd.ZstdError,)


class Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


def open_writer(path: Path, kind: str) -> IO[bytes]:
    if kind == GZIP:
        return gzip.open(path, "wb", compresslevel=GZIP_LEVEL)  # type: ignore[return-value]
    opened: IO[bytes] = zstd.open(path, "wb", options=_options())
    return opened


def compressed(content: bytes, kind: str) -> bytes:
    if kind == GZIP:
        return gzip.compress(content, mtime=0)
    packed: bytes = zstd.compress(content, options=_options())
    return packed


def _options() -> dict[int, int]:
    known = zstd.CompressionParameter
    return {known.compression_level: LEVEL, known.checksum_flag: 1}


def end(digest: bytes, kind: str) -> bytes:
    if kind == GZIP:
        return _GZIP_SKIPPED + digest + _GZIP_END
    return _ZSTD_SKIPPED + digest


class HashedStream:
    """Reads what lies before the digest at the end of a stream, which `finish` compares."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._held = stream.read(HELD)
        self._hash = hashlib.sha256()
        self.kind = next(
            (kind for magic, kind in MAGIC.items() if self._held.startswith(magic)), ""
        )
        if not self.kind:
            raise BackupError("It is no backup of Tempo, or its beginning is damaged.")
        if self.kind == ZSTD and zstd is None:
            raise BackupError("It is compressed by Zstandard, which this Python does not have.")
        self._end_bytes = _END_BYTES[self.kind]

    def read(self, size: int = -1, /) -> bytes:
        wanted = HELD if size is None or size < 0 else size
        while len(self._held) < wanted + self._end_bytes:
            more = self._stream.read(HELD)
            if not more:
                break
            self._held += more
        count = max(0, min(wanted, len(self._held) - self._end_bytes))
        piece, self._held = self._held[:count], self._held[count:]
        self._hash.update(piece)
        return piece

    def finish(self) -> None:
        """Read the rest and raise BackupError when one byte of the whole was changed."""
        while self.read(HELD):
            pass
        if self._held != end(self._hash.digest(), self.kind):
            raise BackupError("Its end is damaged or missing: its digest is another one.")


def open_reader(stream: HashedStream) -> IO[bytes]:
    source: Any = stream
    opened: Any = gzip.GzipFile(fileobj=source) if stream.kind == GZIP else zstd.ZstdFile(source)
    return opened  # type: ignore[no-any-return]
