"""A run's log on disk: `output.log`, one record a line, and `output.idx`, the offset of every 1,000th record.

Once the log holds all that it may keep, what follows waits in the tail for the end.
"""

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
    """Collects records and writes them in batches; a disk that refuses loses records, never the run.

    Of what goes beyond `keep_bytes` (0: no limit) only the end is kept. Its files are new.
    """

    def __init__(self, folder_fd: int, keep_bytes: int = 0) -> None:
        self._folder_fd = folder_fd
        self._keep_bytes = keep_bytes
        self._log_fd = files.create(LOG, dir_fd=folder_fd)
        self._index_fd = files.create(INDEX, dir_fd=folder_fd)
        self._tail: Tail | None = None  # from the first record that has no room until `finish()`
        self._kinds: dict[bytes, bytes] = {}  # of each stream's last record in the log
        self._batch: list[bytes] = []
        self._end = 0  # offset behind the batch; `size` is the one behind what is written
        self._marks: list[int] = []  # offsets that the index still lacks
        self._indexed = 0
        self._losing = False
        self.size = 0
        self.records = 0
        self.overflow = 0  # bytes of records that had no room
        self.dropped = 0  # bytes of output that neither the log nor its tail holds any more
        self.loss = ""  # why records were lost, if any ever were

    def add(self, stream: bytes, kind: bytes, texts: list[bytes]) -> None:
        """Put one record for each of `texts` (no newline in them) into the batch, all of this moment."""
        if self._losing and not self._batch:
            self._append(SYSTEM, FULL, [f"Output was lost here: {self.loss}".encode()])
        self._append(stream, kind, texts)

    def say(self, sentence: str) -> None:
        """Write a line of the runner's own, with what is in the batch."""
        self.add(SYSTEM, FULL, [sentence.replace("\n", " ").encode(errors="backslashreplace")])
        self.flush()

    def flush(self) -> bool:
        """Write the batch in one go; whether there was any. Never raises: see `loss`."""
        if not self._batch:
            return False
        data = b"".join(self._batch)
        self._batch.clear()
        written, why = tail.write_lines(self._log_fd, data, self.size)
        if written < len(data):
            self._give_up(data, written)
        self.size += written
        self._end = self.size
        self._note_loss(why)
        self._write_index()
        return True

    def finish(self) -> bool:
        """Bring back the end of what had no room, behind a word on what is missing; whether there was any.

        Writing may go on behind it, then without a limit. Never raises.
        """
        self.flush()
        if self._tail is None:
            return False
        self._tail.close()
        self._tail, self._keep_bytes = None, 0
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
        if self._tail is None and (
            not self._keep_bytes or self._end + len(data) <= self._keep_bytes
        ):
            self._put(stream, kind, data, texts, overhead=len(head) + 1)
            return
        if self._tail is None:
            data = self._fill(stream, kind, data, texts, overhead=len(head) + 1)
            self._tail = self._begin_tail()
        self.overflow += len(data)
        # The sentences of the runner are no output; they come one at a time.
        overhead = len(data) if stream == SYSTEM else len(head) + (kind == PIECE)
        self._note_loss(self._tail.add(data, overhead))
        self.dropped = self._tail.dropped

    def _fill(
        self, stream: bytes, kind: bytes, data: bytes, texts: list[bytes], *, overhead: int
    ) -> bytes:
        """Put as many records into the batch as the log has room for; the others."""
        end = data.rfind(b"\n", 0, max(0, self._keep_bytes - self._end)) + 1
        if end:
            fitting = texts[: data.count(b"\n", 0, end)]
            self._put(stream, kind, data[:end], fitting, overhead=overhead)
        return data[end:]

    def _begin_tail(self) -> Tail:
        sentence = f"Output is over {_amount(self._keep_bytes)}: of what follows only the last 256 KB are kept"
        self._keep_bytes = 0
        self.say(sentence)
        open_streams = [stream for stream, kind in self._kinds.items() if kind == PIECE]
        return Tail(self._folder_fd, self.size, b"".join(open_streams))

    def _put(
        self, stream: bytes, kind: bytes, data: bytes, texts: list[bytes], *, overhead: int
    ) -> None:
        self._kinds[stream] = kind
        self._batch.append(data)
        self._count(data, texts, overhead=overhead)

    def _count(self, data: bytes, texts: list[bytes], *, overhead: int) -> None:
        """Mark what the index has to know of records that are `texts` with so many bytes each around them."""
        position, done = self._end, 0
        for due in range(-self.records % INDEX_EVERY, len(texts), INDEX_EVERY):
            position += sum(map(len, texts[done:due])) + (due - done) * overhead
            self._marks.append(position)
            done = due
        self._end += len(data)
        self.records += len(texts)

    def _note_loss(self, why: str) -> None:
        self._losing = bool(why)
        self.loss = why or self.loss

    def _give_up(self, data: bytes, written: int) -> None:
        """Forget the records behind `written`: they did not reach the file."""
        self.records -= data.count(b"\n", written)
        end = self.size + written
        self._marks = [mark for mark in self._marks if mark < end]

    def _write_index(self) -> None:
        if not self._marks:
            return
        data = b"".join(map(_OFFSET.pack, self._marks))
        try:
            written = os.pwrite(self._index_fd, data, self._indexed * _OFFSET.size)
        except OSError:
            return  # the entries stay marked, for the next batch
        # An entry that did not fit whole is written again with the next ones.
        self._indexed += written // _OFFSET.size
        del self._marks[: written // _OFFSET.size]


def _amount(size: int) -> str:
    """`10 MB`; what is no whole number of them in KB or bytes."""
    for unit, name in ((2**20, "MB"), (2**10, "KB")):
        if size % unit == 0:
            return f"{size // unit:,} {name}"
    return f"{size:,} bytes"
