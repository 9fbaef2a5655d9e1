"""Stored records of a log, `<epoch_ms> O|E|S F|P <bytes>\\n`: stdout, stderr or system, a full line or a piece."""

import re
from collections.abc import Iterator

SLICE_BYTES = 64 * 1024

_HEAD_BYTES = 18  # before the text while the clock has 13 digits: until the year 2286
# A record that does not look so was torn by a power cut and is left out.
_RECORD = re.compile(rb"(\d{1,15}) ([OES]) ([FP]) ")
# Where a record begins that is not a full line with a clock of 13 digits.
_IRREGULAR = re.compile(rb"\n(?!\d{13} [OES] F )")


def cut(data: bytes) -> bytes:
    """Drop an unfinished last record. A record has at most 16 KiB and a head, so a slice always holds a whole record.

    A slice without any line end was torn by a power cut (a stretch of NULs) and is passed on, so that reading goes on.
    """
    end = data.rfind(b"\n") + 1
    if end or len(data) < SLICE_BYTES:
        return data[:end]
    return data


def split(data: bytes) -> Iterator[tuple[int, str, bool, bytes]]:
    """Split a slice into (epoch ms, stream `O|E|S`, whether the line is full, the bytes)."""
    for line in data.split(b"\n")[:-1]:
        found = _RECORD.match(line)
        if found:
            yield int(found[1]), found[2].decode(), found[3] == b"F", line[found.end() :]


def are_regular(data: bytes) -> bool:
    """Whether a slice is made of full lines with a clock of 13 digits: such lines are counted without splitting."""
    return data.endswith(b"\n") and not _IRREGULAR.search(b"\n" + data[:-1])


def text_of_regular(data: bytes) -> str:
    """Return the text of regular records, their heads left out."""
    texts = [record[_HEAD_BYTES:] for record in data.split(b"\n")]
    return b"\n".join(texts).replace(b"\r\n", b"\n").decode("utf-8", "replace")
