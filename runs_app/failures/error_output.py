"""The end of what a script wrote to stderr, as lines: at most 256 KB of it, however large the log is."""

import re
from contextlib import closing

from runs_app.launcher.output.record_format import LOG
from runs_app.models import Run
from runs_app.output import stored_log
from tempo_site.lib import paths

MAX_LOG_BYTES = 1024 * 1024  # of the log's end that are looked at
MAX_BYTES = 256 * 1024  # of stderr
MAX_LINES = 2000
CHUNK_BYTES = 64 * 1024
MAX_LINE = 1000  # characters
_RECORD = re.compile(rb"^\d{1,15} E ([FP]) (.*)$", re.MULTILINE)
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def last_lines_of_run(run: Run) -> list[str]:
    """Return the last lines of a run's stderr; an empty list without a log."""
    stored = stored_log.open_stored(paths.run_folder(run.folder) / LOG) if run.folder else None
    if stored is None:
        return []
    with closing(stored):
        begin = max(0, stored.size - MAX_LOG_BYTES)
        return last_lines(stored.pread(MAX_LOG_BYTES, begin))


def last_lines(records: bytes) -> list[str]:
    """Return the last lines of stderr among the records of a log, whatever bytes they hold, without colours."""
    parts: list[bytes] = []
    size = 0
    end = len(records)
    while end > 0 and size < MAX_BYTES and len(parts) < MAX_LINES:
        begin = _begin_of_record(records, max(0, end - CHUNK_BYTES))
        found = _stderr(records[begin:end])
        parts = found + parts
        size += sum(map(len, found))
        end = begin
    written = b"".join(parts)[-MAX_BYTES:].decode("utf-8", "replace")
    lines = _COLOUR.sub("", written).split("\n")[-MAX_LINES:]
    return [line[:MAX_LINE].rstrip() for line in lines]


def _begin_of_record(records: bytes, at: int) -> int:
    # At or before `at`, so that reading backwards always gets on.
    return records.rfind(b"\n", 0, at) + 1


def _stderr(records: bytes) -> list[bytes]:
    ends = {b"F": b"\n", b"P": b""}
    return [text + ends[kind] for kind, text in _RECORD.findall(records)]
