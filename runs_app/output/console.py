"""The console of a run: the end of its output as rows to read, and as a window from which the page goes on."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings

from runs_app.models import Run
from runs_app.output import cursors, lines, log, terminal
from runs_app.output.line_index import Window

# How much of the output a page carries from the start.
TAIL_LINES = 200
TAIL_CHARACTERS = 32 * 1024
STREAMS = {"E": "stderr", "S": "system"}  # stdout is the rule and bears no mark


@dataclass(frozen=True, kw_only=True)
class LineRow:
    """A line as the page shows it before its scripts take over; `kind` is its mark: `stderr`, `system`, or ""."""

    number: int
    kind: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Console:
    """The end of a run's output, as rows to read and as the window that `<log-view>` goes on from."""

    lines: list[LineRow]
    window: dict[str, Any]
    total: int
    is_complete: bool
    state: str
    zone: str
    began_ms: int


def console_of_run(run: Run) -> Console:
    window = window_as_json(run, lines.last(run, TAIL_LINES), max_characters=TAIL_CHARACTERS)
    rows = []
    for row, line in enumerate(window["lines"], window["first"]):
        rows.append(_line_row(cursors.number_of(row, window["gaps"]), line))
    began_ms = 0
    if run.started_at:
        began_ms = round(run.started_at.timestamp() * 1000)
    return Console(
        lines=rows,
        window=window,
        total=cursors.number_of(window["total"], window["gaps"]),
        is_complete=window["final"],
        state=_state(run, window),
        zone=settings.TIME_ZONE,
        began_ms=began_ms,
    )


def window_as_json(
    run: Run, window: Window, *, max_characters: int | None = None
) -> dict[str, Any]:
    """Return a window with the run's state, as it goes over the wire; `max_characters` drops the first lines beyond.

    `final` means that no more output will come: the row was read before the log, and a final row's log is whole.
    """
    content = window.as_json()
    if max_characters is not None:
        _drop_first_lines(content, max_characters)
    content["status"] = run.status
    content["final"] = run.is_final and window.end >= log.size(run)
    return content


def _drop_first_lines(content: dict[str, Any], max_characters: int) -> None:
    # The last line stays, however long it is.
    kept = 0
    characters = 0
    for line in reversed(content["lines"]):
        characters += len(line["x"])
        if kept and characters > max_characters:
            break
        kept += 1
    dropped = len(content["lines"]) - kept
    content["first"] += dropped
    content["lines"] = content["lines"][dropped:]


def _line_row(number: int, line: dict[str, Any]) -> LineRow:
    text = terminal.plain_text(line["x"]).rstrip("\r")
    return LineRow(number=number, kind=STREAMS.get(line["s"], ""), text=text)


def _state(run: Run, window: dict[str, Any]) -> str:
    if not window["final"]:
        return "Output so far."
    if window["gaps"]:
        return "Its output, but for what was left out."
    if window["end"]:
        return "All of its output."
    if run.log_bytes:
        return "Its output is not kept any more."
    return "It wrote nothing."
