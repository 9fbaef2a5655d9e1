"""A cold log: the bytes of a log in compressed frames, each read alone, with an index of the frames behind them.

The file is frames, index, foot. A frame holds 256 KiB of the log, the last one what is left, so that the number of a
frame is its offset divided by that. The index is JSON packed by zlib: where each frame ends, its checksum, the codec of
the frames, the size of the log, and what is known of the lines. Every byte of it is checked: a script that runs as
Tempo's own user can replace the file.
"""

import errno
import json
import logging
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from runs_app.output import frame_codec

logger = logging.getLogger(__name__)

FRAME_BYTES = 256 * 1024
NAME = "output.cold"
MAX_INDEX_BYTES = 16 * 2**20
MAX_PACKED_FRAME_BYTES = 2 * FRAME_BYTES  # what cannot be compressed grows a little
_MAGIC = b"TempoLg1"
_FOOT = struct.Struct("<QQ8s")  # where the index begins, its bytes, the magic word


class DamagedLog(OSError):
    """A cold log without a usable index."""

    def __init__(self, what: str) -> None:
        super().__init__(errno.EIO, f"the compressed log is damaged: {what}")


@dataclass(frozen=True, kw_only=True)
class FrameIndex:
    """What stands behind the frames: `identity` is the inode that the plain log had, `lines` an index of lines."""

    size: int
    ends: list[int]
    checksums: list[int]
    identity: int
    lines: Any = None
    codec: str = frame_codec.ZLIB  # in logs that do not say


class ColdLog:
    """Reads a cold log by the offsets of the plain one; holds the last frame that was read."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._index = read_index(descriptor)
        self._frame_number = -1
        self._frame = b""
        self.frames_read = 0

    @property
    def size(self) -> int:
        return self._index.size

    @property
    def identity(self) -> int:
        return self._index.identity

    @property
    def lines(self) -> Any:
        return self._index.lines

    def pread(self, count: int, offset: int) -> bytes:
        """Return bytes of the log, fewer only at its end, as os.pread does for a file; NULs where it is damaged."""
        end = min(offset + count, self.size)
        parts = []
        while offset < end:
            number, begin = divmod(offset, FRAME_BYTES)
            part = self._read_frame(number)[begin : begin + end - offset]
            parts.append(part)
            offset += len(part)
        return b"".join(parts)

    def close(self) -> None:
        os.close(self._descriptor)

    def _read_frame(self, number: int) -> bytes:
        if number != self._frame_number:
            self._frame = self._unpack(number)
            self._frame_number = number
            self.frames_read += 1
        return self._frame

    def _unpack(self, number: int) -> bytes:
        expected = min(FRAME_BYTES, self.size - number * FRAME_BYTES)
        begin = self._index.ends[number - 1] if number else 0
        packed = self._index.ends[number] - begin
        frame = b""
        if 0 < packed <= MAX_PACKED_FRAME_BYTES:
            data = os.pread(self._descriptor, packed, begin)
            frame = frame_codec.decompress(self._index.codec, data, FRAME_BYTES)
        if len(frame) != expected or zlib.crc32(frame) != self._index.checksums[number]:
            # As a power cut leaves a plain log: all who read logs pass over NULs, and go on behind them.
            logger.warning("frame %s of a compressed log is damaged", number)
            return b"\0" * expected
        return frame


def write(descriptor: int, parts: Iterator[bytes], *, identity: int, lines: Any) -> int:
    """Write a log, given in parts of FRAME_BYTES, to an empty file; return the bytes of the file. Raise OSError."""
    size = end = 0
    codec = frame_codec.best()
    ends, checksums = [], []
    for part in parts:
        packed = frame_codec.compress(codec, part)
        _write_all(descriptor, packed)
        size, end = size + len(part), end + len(packed)
        ends.append(end)
        checksums.append(zlib.crc32(part))
    content = {
        "size": size,
        "ends": ends,
        "checksums": checksums,
        "identity": identity,
        "lines": lines,
        "codec": codec,
    }
    index = frame_codec.compress(frame_codec.ZLIB, json.dumps(content).encode())
    _write_all(descriptor, index + _FOOT.pack(end, len(index), _MAGIC))
    return end + len(index) + _FOOT.size


def read_index(descriptor: int) -> FrameIndex:
    """Return what stands behind the frames. Raise Damaged."""
    total = os.fstat(descriptor).st_size
    foot = os.pread(descriptor, _FOOT.size, max(0, total - _FOOT.size))
    if len(foot) < _FOOT.size:
        raise DamagedLog("no foot")
    begin, packed, magic = _FOOT.unpack(foot)
    if magic != _MAGIC or begin + packed + _FOOT.size != total or packed > MAX_INDEX_BYTES:
        raise DamagedLog("the foot")
    try:
        data = os.pread(descriptor, packed, begin)
        content = frame_codec.decompress(frame_codec.ZLIB, data, MAX_INDEX_BYTES)
        index = FrameIndex(**json.loads(content))
        is_whole = len(index.ends) == len(index.checksums) == -(-index.size // FRAME_BYTES)
        numbers = [index.size, *index.ends, *index.checksums]
        is_whole = is_whole and all(isinstance(number, int) for number in numbers)
    except (ValueError, TypeError, RecursionError):
        raise DamagedLog("the index") from None
    if not is_whole:
        raise DamagedLog("the number of frames")
    if not frame_codec.is_known(index.codec):
        raise DamagedLog(f"frames of {index.codec!s:.20}, which this Python cannot read")
    return index


def _write_all(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
