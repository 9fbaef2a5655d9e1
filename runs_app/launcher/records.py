"""A run's log on disk: `output.log`, one record a line, and `output.idx`, the offset of every 1,000th record.

A record is `<epoch_ms> O|E|S F|P <bytes as written>\\n`: stdout, stderr or the system; a full line or a piece of one.
"""

import contextlib
import os
import struct
import time

from runs_app.launcher.files import FILE_MODE

LOG = "output.log"
INDEX = "output.idx"
STDOUT, STDERR, SYSTEM = b"O", b"E", b"S"
FULL, PIECE = b"F", b"P"
INDEX_EVERY = 1000
_OFFSET = struct.Struct("<Q")


class Log:
    """Collects records and writes them in batches; a disk that refuses loses records, never the run."""

    def __init__(self, folder_fd: int) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._log_fd = os.open(LOG, flags, FILE_MODE, dir_fd=folder_fd)
        self._index_fd = os.open(INDEX, flags, FILE_MODE, dir_fd=folder_fd)
        self._batch: list[bytes] = []
        self._end = 0  # offset behind the batch; `size` is the one behind what is written
        self._marks: list[int] = []  # offsets that the index still lacks
        self._indexed = 0
        self._losing = False
        self.size = 0
        self.records = 0
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
        written = self._write(data)
        if written < len(data):
            self._give_up(data, written)
        self.size += written
        self._end = self.size
        self._losing = written < len(data)
        self._write_index()
        return True

    def _append(self, stream: bytes, kind: bytes, texts: list[bytes]) -> None:
        head = b"%d %b %b " % (int(time.time() * 1000), stream, kind)
        data = head + (b"\n" + head).join(texts) + b"\n"
        self._mark(texts, len(head) + 1)
        self._batch.append(data)
        self._end += len(data)
        self.records += len(texts)

    def _mark(self, texts: list[bytes], overhead: int) -> None:
        position, done = self._end, 0
        for due in range(-self.records % INDEX_EVERY, len(texts), INDEX_EVERY):
            position += sum(map(len, texts[done:due])) + (due - done) * overhead
            self._marks.append(position)
            done = due

    def _write(self, data: bytes) -> int:
        """Bytes of whole records that reached the file."""
        written = 0
        try:
            while written < len(data):
                written += os.pwrite(self._log_fd, memoryview(data)[written:], self.size + written)
        except OSError as error:
            self.loss = error.strerror or str(error)
            written = data.rfind(b"\n", 0, written) + 1
        return written

    def _give_up(self, data: bytes, written: int) -> None:
        """Forget the records behind `written`: a torn one must not stand in the file."""
        self.records -= data.count(b"\n", written)
        end = self.size + written
        self._marks = [mark for mark in self._marks if mark < end]
        with contextlib.suppress(OSError):
            os.ftruncate(self._log_fd, end)

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
