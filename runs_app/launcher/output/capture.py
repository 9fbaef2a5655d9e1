"""Copying a script's output from the pipes into the log: at once from a quiet script, in batches from a chatty one."""

# Output for which the log has no room is read slowly, so that a script that floods the log waits at its pipe.

import contextlib
import fcntl
import os
import select
import time

from runs_app.launcher import bells
from runs_app.launcher.output.log_file import Log
from runs_app.launcher.output.masking import NO_MASK, Mask, Masker
from runs_app.launcher.output.record_format import FULL, PIECE, STDERR, STDOUT
from runs_app.launcher.script_start import Pipes

PIECE_BYTES = 16 * 1024
SILENCE_S = 0.1  # after this long without its newline, the begin of a line is shown
_PIPE_BYTES = 256 * 1024
_CHATTY_S = 0.005  # a script that writes again this soon after the last read is waited for ...
_BATCH_S = 0.002  # ... for this long, so that one read takes many of its writes
_BULK_BYTES = 64 * 1024  # a read this large has nothing to gain from waiting
_SLOW_BYTES_S = 256 * 1024 / 0.02  # of records, once the log has no room for more
_LAST_BYTES = 16 * 1024  # kept of a stream, to explain a failure
_DRAIN_READS = 64  # the end of reading when a process outside the tree goes on writing


class Stream:
    """A stream of the script: cuts bytes into records and keeps the line that is not finished yet."""

    def __init__(self, fd: int, letter: bytes) -> None:
        self.fd = fd  # -1 once the stream has ended
        self.byte_count = 0
        self.last = b""  # its last 16 KiB
        self.letter = letter
        self._pending = b""
        self._read_at = 0.0

    def read(self, log: Log) -> int:
        """Copy the content of the pipe; return the number of bytes, 0 for an empty or closed pipe."""
        # All at once: output on the other stream meanwhile came after most of these bytes.
        try:
            chunk = os.read(self.fd, _PIPE_BYTES)
        except BlockingIOError:
            return 0
        if not chunk:
            self.close(log)
            return 0
        self.byte_count += len(chunk)
        self._add(chunk, log)
        return len(chunk)

    def _add(self, chunk: bytes, log: Log) -> None:
        last = chunk
        if len(chunk) < _LAST_BYTES:
            last = self.last + chunk
        self.last = last[-_LAST_BYTES:]
        self._read_at = time.monotonic()
        self._cut(self._pending + chunk, log)

    def close(self, log: Log) -> None:
        self._flush(log)
        os.close(self.fd)
        self.fd = -1

    def silent_in(self, now: float) -> float | None:
        """Return the seconds until an unfinished line counts as standing still, or None without such a line."""
        if not self._pending:
            return None
        return max(0.0, self._read_at + SILENCE_S - now)

    def flush_if_silent(self, now: float, log: Log) -> None:
        # An unfinished line that does not grow may be a question, or a progress bar.
        if self.silent_in(now) == 0:
            self._flush(log)

    def _flush(self, log: Log) -> None:
        if self._pending:
            log.add(self.letter, PIECE, [self._pending])
            self._pending = b""

    def _cut(self, data: bytes, log: Log) -> None:
        *lines, self._pending = data.split(b"\n")
        if len(data) > PIECE_BYTES and max(map(len, lines), default=0) > PIECE_BYTES:
            for line in lines:
                rest = self._write_pieces(line, log)
                log.add(self.letter, FULL, [rest])
        elif lines:
            log.add(self.letter, FULL, lines)
        self._pending = self._write_pieces(self._pending, log)

    def _write_pieces(self, line: bytes, log: Log) -> bytes:
        # Returns what is left of the line, at most 16 KiB, after as many pieces as it takes.
        if len(line) <= PIECE_BYTES:
            return line
        starts = range(0, len(line), PIECE_BYTES)
        *pieces, rest = [line[start : start + PIECE_BYTES] for start in starts]
        log.add(self.letter, PIECE, pieces)
        return rest


class MaskedStream(Stream):
    """A stream of a script with secrets: bytes that could begin a secret wait for the bytes that follow."""

    def __init__(self, fd: int, letter: bytes, masker: Masker) -> None:
        super().__init__(fd, letter)
        self._masker = masker

    def silent_in(self, now: float) -> float | None:
        if not self._pending and not self._masker.is_holding:
            return None
        return max(0.0, self._read_at + SILENCE_S - now)

    def _add(self, chunk: bytes, log: Log) -> None:
        super()._add(self._masker.feed(chunk), log)

    def _flush(self, log: Log) -> None:
        super()._add(self._masker.release(), log)
        super()._flush(log)


class Capture:
    def __init__(self, log: Log, ringer: bells.Bells, wakeup_fd: int, mask: Mask = NO_MASK) -> None:
        self.log = log
        self.mask = mask
        self._ringer = ringer
        self._wakeup_fd = wakeup_fd
        self._streams: list[Stream] = []
        self._busy_at = 0.0
        self._slow_until = 0.0  # no output is read before

    def open_pipes(self) -> Pipes:
        return Pipes(self._open(STDOUT), self._open(STDERR))

    @property
    def byte_count(self) -> int:
        return sum(stream.byte_count for stream in self._streams)

    @property
    def last_stderr(self) -> bytes:
        return b"".join(stream.last for stream in self._streams if stream.letter == STDERR)

    def step(self, timeout_s: float | None) -> bool:
        """Wait at most `timeout_s` for output or a signal, and copy the output; return whether a signal came."""
        ready = self._wait(timeout_s)
        streams = [stream for stream in self._streams if stream.fd in ready]
        if streams and time.monotonic() - self._busy_at < _CHATTY_S:
            time.sleep(_BATCH_S)
        overflow = self.log.overflow
        count = self._copy(streams)
        more_overflow = self.log.overflow - overflow
        if more_overflow > 0:
            self._slow_until = time.monotonic() + more_overflow / _SLOW_BYTES_S
        if streams:
            self._busy_at = time.monotonic() if count < _BULK_BYTES else 0.0
        return self._wakeup_fd in ready

    def drain(self) -> None:
        """Copy the rest of both pipes, without waiting for their end, close them, and finish the log."""
        for _ in range(_DRAIN_READS):
            if not self._copy(self._open_streams()):
                break
        for stream in self._open_streams():
            stream.close(self.log)
        self._publish()
        if self.log.finish():
            self._ringer.ring(bells.OUTPUT)

    def say(self, sentence: str) -> None:
        self.log.say(sentence)
        self._ringer.ring(bells.OUTPUT)

    def _open(self, letter: bytes) -> int:
        read_fd, write_fd = os.pipe()
        os.set_blocking(read_fd, False)
        # An ordinary user has a budget for large pipes; beyond it the usual 64 KiB do.
        with contextlib.suppress(OSError):
            fcntl.fcntl(read_fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        stream = Stream(read_fd, letter)
        if self.mask:
            stream = MaskedStream(read_fd, letter, Masker(self.mask))
        self._streams.append(stream)
        return write_fd

    def _open_streams(self) -> list[Stream]:
        return [stream for stream in self._streams if stream.fd >= 0]

    def _wait(self, timeout_s: float | None) -> set[int]:
        now = time.monotonic()
        waits = [] if timeout_s is None else [timeout_s]
        for stream in self._streams:
            silent_in = stream.silent_in(now)
            if silent_in is not None:
                waits.append(silent_in)
        poll = select.poll()
        poll.register(self._wakeup_fd, select.POLLIN)
        if now < self._slow_until:
            waits.append(self._slow_until - now)
        else:
            for stream in self._open_streams():
                poll.register(stream.fd, select.POLLIN)
        timeout_ms = min(waits) * 1000 if waits else None
        return {fd for fd, _ in poll.poll(timeout_ms)}

    def _copy(self, streams: list[Stream]) -> int:
        count = 0
        for stream in streams:
            count += stream.read(self.log)
        now = time.monotonic()
        for stream in self._open_streams():
            stream.flush_if_silent(now, self.log)
        self._publish()
        return count

    def _publish(self) -> None:
        if self.log.flush():
            self._ringer.ring(bells.OUTPUT)
