"""A run as commands in a terminal see it: another process than the service's reads its row and its log."""

import os
import sys
import time
from collections.abc import Iterator

from runs_app.launcher.bells import STATE, Bells, open_bell_folder
from runs_app.launcher.output import record_format
from runs_app.models import Run
from runs_app.output import log
from runs_app.output.script_text import BOTH
from tempo_site.lib import paths
from tempo_site.lib.console.tables import as_json

POLL_S = 0.2
STREAMS = {"O": "stdout", "E": "stderr", "S": "system"}
ALL = "".join(STREAMS)


def ring() -> None:
    """Wake the engine, another process, to look at the queue now and not at its next sweep."""
    bells_fd = open_bell_folder(str(paths.data()))
    try:
        Bells(bells_fd).ring(STATE)
    finally:
        os.close(bells_fd)


def slices(run: Run) -> Iterator[bytes]:
    """Yield whole records as they come, until the run has ended and all of its output was given."""
    offset = 0
    while True:
        run.refresh_from_db()
        is_final = run.is_final  # read before the slice: the log of a final row is whole
        data, following = log.read_slice(run, offset)
        if data:
            yield data
        elif is_final:
            return
        else:
            time.sleep(POLL_S)
        offset = following


def show(data: bytes) -> None:
    """Write records to stdout and stderr, as the script did."""
    for _, stream, is_full, text in record_format.parse(data):
        target = sys.stdout if stream == "O" else sys.stderr
        if stream == "S":
            text = b"tempo: " + text
        if is_full:
            text += b"\n"
        target.buffer.write(text)
    sys.stdout.flush()
    sys.stderr.flush()


def show_as_json(data: bytes) -> None:
    """Write records to stdout, a JSON object a line."""
    show_some_as_json(data, ALL, first=1, line=1)


def show_some_as_json(data: bytes, streams: str, *, first: int, line: int) -> int:
    """Write the records of some streams from a line of the script's on; `line` is where the data begins.

    Return the line behind the data. Tempo's own records are no lines of the script.
    """
    for at_ms, stream, is_line, text in record_format.parse(data):
        if stream not in streams:
            continue
        if line >= first:
            shown = {
                "at_ms": at_ms,
                "stream": STREAMS[stream],
                "text": text.decode("utf-8", "replace"),
                "is_line": is_line,
            }
            sys.stdout.write(as_json(shown) + "\n")
        if is_line and stream in BOTH:
            line += 1
    sys.stdout.flush()
    return line
