"""A run's log on disk: `output.log`, and once it is longer, `output.idx` with the offset of every 1,000th record."""

import os
import struct
import time

from runs_app.launcher import files
from runs_app.launcher.output import record_format, tail
from runs_app.launcher.output.record_format import FULL, LOG, PIECE, SYSTEM
from runs_app.launcher.output.tail import Tail

INDEX = "output.idx"
INDEX_EVERY = 1000
_OFFSET = struct.Struct("<Q")


class Log:
    """Writes records in batches, and keeps only the end of the output beyond `keep_bytes` (0: no limit)."""

    # A disk that refuses loses records, never the run. Records beyond the limit wait in the tail for `finish()`.

    def __init__(self, folder_fd: int, keep_bytes: int = 0) -> None:
        self._folder_fd = folder_fd
        self._keep_bytes = keep_bytes
        self._log_fd = files.create(LOG, dir_fd=folder_fd)
        self._index_fd = -1  # a log of at most 1,000 records needs none: its one entry is 0
        self._tail: Tail | None = None  # from the first record that has no room until `finish()`
        self._kinds: dict[bytes, bytes] = {}  # of each stream's last record in the log
        self._batch: list[bytes] = []
        self._end = 0  # offset after the batch; `size` is the offset after what is written
        self._unindexed: list[int] = []  # offsets that the index still lacks
        self._indexed = 0
        self._is_losing = False
        self.size = 0
        self.records = 0
        self.overflow = 0  # bytes of records that had no room
        self.dropped = 0  # bytes of output that neither the log nor its tail holds any more
        self.loss = ""  # why records were lost, if any ever were

    def add(self, stream: bytes, kind: bytes, texts: list[bytes]) -> None:
        """Put a record for each of `texts` (no newline in any) into the batch, all of this moment."""
        if self._is_losing and not self._batch:
            self._append(SYSTEM, FULL, [f"Output was lost here: {self.loss}".encode()])
        self._append(stream, kind, texts)

    def say(self, sentence: str) -> None:
        self.add(SYSTEM, FULL, [sentence.replace("\n", " ").encode(errors="backslashreplace")])
        self.flush()

    def flush(self) -> bool:
        """Write the batch in one go; return whether there was any. Never raises: see `loss`."""
        if not self._batch:
            return False
        data = b"".join(self._batch)
        self._batch.clear()
        written, why = tail.write_lines(self._log_fd, data, self.size)
        if written < len(data):
            self._forget_lost(data, written)
        self.size += written
        self._end = self.size
        self._note_loss(why)
        self._write_index()
        return True

    def finish(self) -> bool:
        """Append the tail and lift the limit; return whether there was a tail. Never raises."""
        self.flush()
        if self._tail is None:
            return False
        self._tail.close()
        self._tail = None
        self._keep_bytes = 0
        try:
            ending = tail.append_to_log(self._folder_fd, self._log_fd)
        except OSError as error:
            self._note_loss(error.strerror or str(error))
            return False
        self._end = ending.at
        self._count(ending.records, ending.records.split(b"\n")[:-1], overhead=1)
        self.size = self._end
        if ending.loss:
            self._note_loss(ending.loss)
        self._write_index()
        return True

    def _append(self, stream: bytes, kind: bytes, texts: list[bytes]) -> None:
        head = record_format.head(int(time.time() * 1000), stream, kind)
        data = head + (b"\n" + head).join(texts) + b"\n"
        overhead = len(head) + 1
        if self._tail is None:
            if not self._keep_bytes or self._end + len(data) <= self._keep_bytes:
                self._put(stream, kind, data, texts, overhead=overhead)
                return
            data = self._fill(stream, kind, data, texts, overhead=overhead)
            self._tail = self._begin_tail()
        self.overflow += len(data)
        # A script writes the newline of a full line itself.
        no_output = overhead if kind == PIECE else len(head)
        if stream == SYSTEM:  # the sentences of the runner come one at a time
            why = self._tail.say(data)
        else:
            why = self._tail.add(data, no_output, are_lines=kind == FULL)
        self._note_loss(why)
        self.dropped = self._tail.dropped

    def _fill(
        self, stream: bytes, kind: bytes, data: bytes, texts: list[bytes], *, overhead: int
    ) -> bytes:
        # Puts as many records into the batch as the log has room for, and returns the others.
        end = data.rfind(b"\n", 0, max(0, self._keep_bytes - self._end)) + 1
        if end:
            fitting = texts[: data.count(b"\n", 0, end)]
            self._put(stream, kind, data[:end], fitting, overhead=overhead)
        return data[end:]

    def _begin_tail(self) -> Tail:
        cap = _amount(self._keep_bytes)
        self._keep_bytes = 0
        self.say(f"Output is over {cap}: of what follows only the last 256 KB are kept")
        open_streams = [stream for stream, kind in self._kinds.items() if kind == PIECE]
        return Tail(self._folder_fd, self.size, b"".join(open_streams))

    def _put(
        self, stream: bytes, kind: bytes, data: bytes, texts: list[bytes], *, overhead: int
    ) -> None:
        self._kinds[stream] = kind
        self._batch.append(data)
        self._count(data, texts, overhead=overhead)

    def _count(self, data: bytes, texts: list[bytes], *, overhead: int) -> None:
        # Each record is one of `texts` with `overhead` bytes around it.
        position = self._end
        counted = 0
        for due in range(-self.records % INDEX_EVERY, len(texts), INDEX_EVERY):
            position += sum(map(len, texts[counted:due])) + (due - counted) * overhead
            self._unindexed.append(position)
            counted = due
        self._end += len(data)
        self.records += len(texts)

    def _note_loss(self, why: str) -> None:
        self._is_losing = bool(why)
        self.loss = why or self.loss

    def _forget_lost(self, data: bytes, written: int) -> None:
        # What comes after the first `written` bytes did not reach the file.
        self.records -= data.count(b"\n", written)
        end = self.size + written
        self._unindexed = [offset for offset in self._unindexed if offset < end]

    def _write_index(self) -> None:
        if not self._unindexed or self.records <= INDEX_EVERY:
            return
        data = b"".join(map(_OFFSET.pack, self._unindexed))
        try:
            if self._index_fd < 0:
                self._index_fd = files.create(INDEX, dir_fd=self._folder_fd)
            written = os.pwrite(self._index_fd, data, self._indexed * _OFFSET.size)
        except OSError:
            return  # the entries wait for the next batch
        # An entry that did not fit whole is written again with the next ones.
        entries = written // _OFFSET.size
        self._indexed += entries
        del self._unindexed[:entries]


def _amount(size: int) -> str:
    # `10 MB`; KB or bytes where it is no whole number.
    for unit, name in ((2**20, "MB"), (2**10, "KB")):
        if size % unit == 0:
            return f"{size // unit:,} {name}"
    return f"{size:,} bytes"
