"""What was found, in words: for the page, the API and the command."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby, zip_longest
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.template.defaultfilters import filesizeformat

from runs_app.models import Run
from runs_app.search import marks, search, texts
from runs_app.search.marks import MarkedPiece
from runs_app.search.query import STREAMS, Query
from runs_app.search.search import Hit, Results

STREAM_NAMES = {letter: name for name, letter in STREAMS.items()}


@dataclass(frozen=True, kw_only=True)
class FoundLine:
    """`stream` is "" for stdout, which is the rule and bears no mark."""

    number: int
    stream: str
    stream_mark: str  # as the console marks it
    time: str
    pieces: list[MarkedPiece]
    before: list[str]
    after: list[str]


@dataclass(frozen=True, kw_only=True)
class FoundRun:
    """A run with those of its lines that were found, the last one first."""

    run: Run
    lines: list[FoundLine]


def by_run(hits: Sequence[Hit], query: Query) -> list[FoundRun]:
    found = []
    for _, group in groupby(hits, key=lambda hit: hit.run.pk):
        of_run = list(group)
        lines = _without_repetition([found_line(hit, query) for hit in of_run])
        found.append(FoundRun(run=of_run[0].run, lines=lines))
    return found


def _without_repetition(lines: Sequence[FoundLine]) -> list[FoundLine]:
    """Return a run's lines, the last first, without what stands beside one line and is shown with another one."""
    shown: list[FoundLine] = []
    for line, earlier in zip_longest(lines, lines[1:]):
        before, after = line.before, line.after
        if earlier is not None:
            between = max(0, line.number - earlier.number - 1)
            before = before[max(0, len(before) - between) :]
        if shown:
            above = shown[-1].number - len(shown[-1].before)
            after = after[: max(0, above - line.number - 1)]
        shown.append(replace(line, before=before, after=after))
    return shown


def as_json(hit: Hit, query: Query) -> dict[str, Any]:
    text = "".join(piece.text for piece in _pieces(hit, query))
    return {
        "run": hit.run.pk,
        "script": hit.run.script.slug if hit.run.script else None,
        "line": hit.line.number,
        "at": search.moment_of(hit.line),
        "stream": STREAM_NAMES[hit.line.stream],
        "text": text,
        "before": [marks.shortened(line) for line in hit.before],
        "after": [marks.shortened(line) for line in hit.after],
    }


def passed_over(results: Results) -> str:
    """Return a sentence on what no search finds, or ""."""
    if not results.has_skips:
        return ""
    return f"Encoded data is passed over: words of more than {texts.MAX_WORD:,} characters without a space."


def searched(results: Results) -> str:
    """Return a sentence on how far a search that is not complete has come, or ""."""
    if results.is_complete:
        return ""
    size = filesizeformat(results.read_bytes)
    if results.searched_back_to is None:
        return f"Searched {size}."
    local = results.searched_back_to.astimezone(ZoneInfo(settings.TIME_ZONE))
    moment = f"{local:%Y-%m-%d %H:%M}"
    if not results.read_bytes:  # a list without a text
        return f"Searched back to {moment}."
    return f"Searched back to {moment}, {size}."


def rebuilding(results: Results) -> str:
    """Return a sentence on an index that does not hold all runs yet, or ""."""
    if results.percent == 100:
        return ""
    return (
        f"The index of the output is being rebuilt, {results.percent} %. "
        "Until that is done a search reads the logs themselves, which takes longer."
    )


def found_line(hit: Hit, query: Query) -> FoundLine:
    stream = STREAM_NAMES[hit.line.stream]
    if stream == "stdout":
        stream = ""
    local = search.moment_of(hit.line).astimezone(ZoneInfo(settings.TIME_ZONE))
    return FoundLine(
        number=hit.line.number,
        stream=stream,
        stream_mark=hit.line.stream if stream else "",
        time=f"{local:%H:%M:%S}",
        pieces=_pieces(hit, query),
        before=[marks.shortened(line) for line in hit.before],
        after=[marks.shortened(line) for line in hit.after],
    )


def _pieces(hit: Hit, query: Query) -> list[MarkedPiece]:
    text = hit.line.text
    spans = [*marks.spans_of_words(text, query.shown_words), *hit.spans]
    return marks.pieces(text, spans)
