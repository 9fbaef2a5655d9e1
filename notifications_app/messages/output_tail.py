"""The end of a run's output, as a message shows it; the runner masked secrets before anything was written."""

from notifications_app.messages import plain
from runs_app.launcher.output import record_format
from runs_app.models import Run
from runs_app.output import log, terminal
from runs_app.output.terminal import Written

MAX_CHARACTERS = 1000
# Room for the characters in their longest form, with heads and colours, behind a record that is cut by the beginning.
READ_BYTES = 48 * 1024


def read(run: Run | None) -> str:
    """Return the last 1,000 characters that a script wrote, both streams in order; "" where the log is gone."""
    text = plain.block("\n".join(_shown(line) for line in _lines(run))).strip("\n")
    if len(text) <= MAX_CHARACTERS:
        return text
    return plain.CUT + text[-MAX_CHARACTERS + 1 :]


def _lines(run: Run | None) -> list[str]:
    if run is None:
        return []
    size = log.size(run)
    offset = max(0, size - READ_BYTES)
    data, _ = log.read_slice(run, offset)
    if offset:
        data = data[data.find(b"\n") + 1 :]  # the read began within a record
    lines = [""]
    for _, stream, is_full, text in record_format.parse(data):
        if stream in "OE":
            lines[-1] += text.decode(errors="replace")
            if is_full:
                lines.append("")
    return lines


def _shown(line: str) -> str:
    # What a progress bar wrote over and over is shown once.
    if "\r" not in line and "\b" not in line:
        return line
    return terminal.write(Written(""), line).text
