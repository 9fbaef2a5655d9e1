"""The log of a run as blocks of lines, for the index and for the search alike.

Most logs are plain: each record is a line of its own, so a part of the file can be read without what comes before. All
others (progress bars, lines of two streams that interleave, output left out) are read through their index of lines.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from runs_app.launcher.output.record_format import USUAL_HEAD_BYTES
from runs_app.output import cursors, line_index, records, stored_log, terminal
from runs_app.output.line_index import LineIndex
from runs_app.output.stored_log import StoredLog
from runs_app.search import texts

PART_BYTES = 16 * 1024
MAX_PARTS = 63  # the index has 64 numbers for the parts of a run
MAX_RECORD_BYTES = 17 * 1024
_STREAM_AT = 14


@dataclass(frozen=True, kw_only=True)
class LoggedLine:
    """`row` counts the lines of the log, `number` is the one that pages show, behind what was left out."""

    row: int
    number: int
    epoch_ms: int
    stream: str
    text: str


class TextBlock:
    """Lines of a log from row `first` on; `text` has them as they are shown, one a line."""

    first: int
    text: str
    count: int

    def line(self, row: int) -> LoggedLine:
        raise NotImplementedError


class PlainBlock(TextBlock):
    def __init__(self, data: bytes, first: int) -> None:
        self.first = first
        self._records = data.split(b"\n")[:-1]
        self.count = len(self._records)
        self.text = texts.shown(records.text_of_regular(data)).removesuffix("\n")

    def line(self, row: int) -> LoggedLine:
        record = self._records[row - self.first]
        text = record[USUAL_HEAD_BYTES:].decode("utf-8", "replace")
        return LoggedLine(
            row=row,
            number=row,
            epoch_ms=int(record[:13]),
            stream=chr(record[_STREAM_AT]),
            text=texts.shown(text).rstrip("\r"),
        )


class AnyBlock(TextBlock):
    def __init__(
        self, lines: Sequence[line_index.Line], gaps: Sequence[cursors.Gap], first: int
    ) -> None:
        self.first = first
        self.count = len(lines)
        self._lines = lines
        self._gaps = gaps
        self._texts = [texts.shown(line.text).replace("\n", " ").rstrip("\r") for line in lines]
        self.text = "\n".join(self._texts)

    def line(self, row: int) -> LoggedLine:
        line = self._lines[row - self.first]
        return LoggedLine(
            row=row,
            number=cursors.number_of(row, self._gaps),
            epoch_ms=line.epoch_ms,
            stream=line.stream,
            text=self._texts[row - self.first],
        )


class ChangedLog(Exception):
    """The log is not the one that was indexed: a script wrote over it, or the disk lost some of it."""


class LogTexts:
    """The blocks of a log by position. Raises FileNotFoundError when the log is gone."""

    count: int

    def block(self, position: int) -> TextBlock:
        raise NotImplementedError


class PlainLogTexts(LogTexts):
    def __init__(self, stored: StoredLog, parts: Sequence[tuple[int, int]]) -> None:
        self._stored = stored
        self._parts = parts
        self.count = len(parts)

    def block(self, position: int) -> TextBlock:
        begin, lines = self._parts[position]
        end = self._stored.size
        if position + 1 < self.count:
            end = self._parts[position + 1][0]
        data = self._stored.pread(end - begin, begin) if begin < end else b""
        if not data or not _is_plain(data):
            raise ChangedLog
        return PlainBlock(data, lines + 1)


class AnyLog(LogTexts):
    def __init__(self, index: LineIndex) -> None:
        self._index = index
        with index.reading():
            self.count = len(index.blocks)

    def block(self, position: int) -> TextBlock:
        with self._index.reading():
            lines = self._index.lines_begun_in(position)
            first = self._index.lines_begun_before(position) + 1
            return AnyBlock(lines, self._index.gaps, first)


@contextmanager
def opened(path: Path, parts: Sequence[tuple[int, int]]) -> Iterator[LogTexts]:
    """Open a log with the parts that the index knows, if any. Raises FileNotFoundError."""
    stored = stored_log.open_stored(path)
    if stored is None:
        raise FileNotFoundError(f"{path} is gone")
    try:
        if parts:
            yield PlainLogTexts(stored, parts)
        else:
            yield AnyLog(LineIndex(path))
    finally:
        stored.close()


def plain_parts(path: Path) -> list[tuple[int, int]] | None:
    """Return offset and number of lines before each part of a plain log; empty for any other, None where nothing is."""
    stored = stored_log.open_stored(path)
    if stored is None:
        return None
    with closing(stored):
        return _parts(stored) if stored.size else None


def _parts(stored: StoredLog) -> list[tuple[int, int]]:
    part_bytes = max(PART_BYTES, stored.size // MAX_PARTS + 1)
    parts = []
    offset = lines = 0
    while data := stored.pread(part_bytes + MAX_RECORD_BYTES, offset):
        end = data.find(b"\n", part_bytes - 1) + 1 or len(data)
        data = data[:end]
        if not _is_plain(data):
            return []
        parts.append((offset, lines))
        offset += len(data)
        lines += data.count(b"\n")
    return parts


def _is_plain(data: bytes) -> bool:
    return line_index.is_plain(data) and not terminal.has_moves(data.replace(b"\r\n", b"\n"))
