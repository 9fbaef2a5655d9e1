"""Slices of a log cut at records; the format is `launcher/output/record_format.py`."""

import re

from runs_app.launcher.output import record_format

SLICE_BYTES = 64 * 1024
_STREAM_AT = 14  # in a record with a clock of 13 digits
# What the runner says where output is missing, with the number of lines where it is known.
GAP = re.compile(
    rb"[\d,]+ bytes of output(?: \(([\d,]{1,20}) lines?\))? were left out here|Output was (?:left out|lost) here.*"
)
_GAP_WORDS = (b"left out here", b"lost here")
# Where a record begins that is not a full line with a clock of 13 digits.
_IRREGULAR = re.compile(rb"\n(?!%b)" % record_format.USUAL_HEAD_PATTERN)


def cut(data: bytes) -> bytes:
    """Drop an unfinished last record. A record has at most 16 KiB and a head, so a slice always holds a whole record.

    A slice without any line end was torn by a power cut (a stretch of NULs) and is passed on, so that reading goes on.
    """
    end = data.rfind(b"\n") + 1
    if end or len(data) < SLICE_BYTES:
        return data[:end]
    return data


def are_regular(data: bytes) -> bool:
    """Whether a slice is made of full lines with a clock of 13 digits: such lines are counted without splitting."""
    return data.endswith(b"\n") and not _IRREGULAR.search(b"\n" + data[:-1])


def may_hold_gap(data: bytes) -> bool:
    return any(words in data for words in _GAP_WORDS)


def stream_of_regular(record: bytes) -> str:
    return record[_STREAM_AT : _STREAM_AT + 1].decode()


def text_of_regular(data: bytes) -> str:
    texts = [record[record_format.USUAL_HEAD_BYTES :] for record in data.split(b"\n")]
    return b"\n".join(texts).replace(b"\r\n", b"\n").decode("utf-8", "replace")
