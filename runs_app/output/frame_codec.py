"""How the frames of a cold log are compressed: by Zstandard, or by zlib where that is missing and in older logs."""

import functools
import importlib
import sys
import zlib
from types import ModuleType

ZLIB, ZSTANDARD = "zlib", "zstd"
ZLIB_LEVEL = 6
# As quick as zlib at its level, a sixth smaller, and read three times as fast.
ZSTANDARD_LEVEL = 9
# Frames of 256 KiB need no larger window. One that asks for more was not written here.
MAX_WINDOW_LOG = 18


@functools.cache
def zstandard() -> ModuleType | None:
    """Return the module, imported on first use as it takes a megabyte; None where it is missing."""
    name = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def best() -> str:
    """Return the name of the codec for new logs."""
    return ZSTANDARD if zstandard() else ZLIB


def is_known(codec: str) -> bool:
    """Whether logs of this codec can be read here."""
    return codec == ZLIB or (codec == ZSTANDARD and zstandard() is not None)


def compress(codec: str, frame: bytes) -> bytes:
    library = zstandard() if codec == ZSTANDARD else None
    if library is None:
        return zlib.compress(frame, ZLIB_LEVEL)
    packed: bytes = library.compress(frame, ZSTANDARD_LEVEL)
    return packed


def decompress(codec: str, packed: bytes, max_bytes: int) -> bytes:
    """Return at most so many bytes, none where they are damaged."""
    library = zstandard() if codec == ZSTANDARD else None
    if library is None:
        return _decompress_by_zlib(packed, max_bytes)
    options = {library.DecompressionParameter.window_log_max: MAX_WINDOW_LOG}
    try:
        content: bytes = library.ZstdDecompressor(options=options).decompress(packed, max_bytes)
    except library.ZstdError:
        return b""
    return content


def _decompress_by_zlib(packed: bytes, max_bytes: int) -> bytes:
    try:
        return zlib.decompressobj().decompress(packed, max_bytes)
    except zlib.error:
        return b""
