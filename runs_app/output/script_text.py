"""What a script wrote, made from the records of its log: one stream or both, from a line on, the last lines, bytes."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from runs_app.launcher.output import record_format
from runs_app.output import records

BOTH = "OE"  # letters of streams, as in the records
_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")


class ScriptText:
    """Turns records into text, slice after slice, byte for byte.

    Tempo's own lines are left out, but for one: where output is missing, because it was over the limit or the disk was
    full, a line of its own says so, `[Tempo: 1,234,567 bytes of output (12,345 lines) were left out here]`.
    """

    def __init__(self, streams: str = BOTH) -> None:
        self._streams = streams
        self._is_inside_line = False

    def of(self, data: bytes) -> bytes:
        parts = []
        for _, stream, is_full, text in record_format.parse(data):
            if stream in self._streams:
                parts.append(text + b"\n" if is_full else text)
                self._is_inside_line = not is_full
            elif stream == "S" and records.GAP.fullmatch(text):
                if self._is_inside_line:
                    parts.append(b"\n")
                parts.append(b"[Tempo: %b]\n" % text)
                self._is_inside_line = False
        return b"".join(parts)


class LinesFrom:
    """Leaves out the lines before a line, whose number counts from 1; the text comes in parts."""

    def __init__(self, first: int) -> None:
        self._left = first - 1

    def of(self, part: bytes) -> bytes:
        if not self._left:
            return part
        ends = part.count(b"\n")
        if ends < self._left:
            self._left -= ends
            return b""
        lines = part.split(b"\n", self._left)
        self._left = 0
        return lines[-1]


def from_line(parts: Iterable[bytes], first: int) -> Iterator[bytes]:
    return map(LinesFrom(first).of, parts)


def first_of_last(parts: Iterable[bytes], count: int) -> int:
    """Return the number of the line with which the last `count` lines begin. Holds one part in memory at a time."""
    ends, end = 0, b"\n"
    for part in parts:
        ends += part.count(b"\n")
        end = part[-1:] or end
    lines = ends if end == b"\n" else ends + 1
    return max(1, lines - count + 1)


@dataclass(frozen=True, kw_only=True)
class ByteRange:
    """Bytes of a text of `total` bytes, both ends included, as in the header `Content-Range`."""

    first: int
    last: int
    total: int

    def __str__(self) -> str:
        return f"bytes {self.first}-{self.last}/{self.total}"

    def of(self, parts: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the bytes of this range; the text may have grown meanwhile."""
        at = 0
        for part in parts:
            begin, end = max(0, self.first - at), self.last + 1 - at
            at += len(part)
            if piece := part[begin : max(0, end)]:
                yield piece
            if at > self.last:
                return


class OutOfRange(ValueError):
    """A range that begins behind the end of the text."""


def parse_range(header: str, total: int) -> ByteRange | None:
    """Read the header `Range`; None for one that does not count: several ranges, another unit. Raises OutOfRange."""
    found = _RANGE.fullmatch(header.replace(" ", ""))
    if found is None or not (found[1] or found[2]):
        return None
    first, last = total - int(found[2] or 0), total - 1
    if found[1]:
        first = int(found[1])
        last = min(int(found[2] or last), last)
        if found[2] and int(found[2]) < first:
            return None
    if first >= total:
        raise OutOfRange(f"The text has {total} bytes.")
    return ByteRange(first=max(0, first), last=last, total=total)
