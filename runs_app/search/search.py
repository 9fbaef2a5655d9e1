"""The search: candidates from the index and from what it does not hold yet, the newest first, each checked in its log.

A search is given a budget of time. What is left when it is over is not searched but said: `next_cursor` goes on.
"""

import heapq
import logging
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby, islice
from typing import NamedTuple

from runs_app.launcher.output.record_format import LOG
from runs_app.models import Run
from runs_app.search import candidate_runs, coverage, log_texts, month_index, patterns, texts
from runs_app.search.candidate_runs import CandidateRun
from runs_app.search.log_texts import ChangedLog, LoggedLine, LogTexts, TextBlock
from runs_app.search.marks import Span
from runs_app.search.month_index import MonthIndex
from runs_app.search.packs import ANY_PART, Place
from runs_app.search.query import Query, QueryError
from runs_app.signals import search_degraded
from scripts_app import lookup
from tempo_site.lib import paths

logger = logging.getLogger(__name__)

LIMIT = 50
MAX_LIMIT = 200
BUDGET_S = 1.5
AT_ONCE = 2  # searches; more would keep the threads of web from other work
WAIT_S = 5.0
CONTEXT = 2  # lines before and after
FIRST_CHUNK, MAX_CHUNK = 8, 256  # candidates whose rows are read together
MAX_ID = 2**53

# Those of these runs that a list shows.
Choose = Callable[[Sequence[int]], Collection[int]]

_places = threading.BoundedSemaphore(AT_ONCE)


class Busy(Exception):
    """Too many searches go on at once."""


class SearchCursor(NamedTuple):
    """The search goes on with the lines above row `row` of a run, then with the runs before it."""

    run: int = MAX_ID
    row: int = 1

    def __str__(self) -> str:
        return f"{self.run}.{self.row}"


@dataclass(frozen=True)
class Hit:
    run: Run
    line: LoggedLine
    spans: tuple[Span, ...]  # what regular expressions found in the line
    before: list[str]
    after: list[str]


@dataclass(kw_only=True)
class Results:
    """A page of hits. `searched_back_to` is when the last run that was searched began; `percent` is the index's."""

    hits: list[Hit] = field(default_factory=list)
    next_cursor: SearchCursor | None = None
    searched_back_to: datetime | None = None
    read_bytes: int = 0
    percent: int = 100
    has_skips: bool = False

    @property
    def is_complete(self) -> bool:
        return self.next_cursor is None


class _Found(NamedTuple):
    run: int
    line: LoggedLine
    spans: tuple[Span, ...]
    before: list[str]
    after: list[str]


class Candidate(NamedTuple):
    run: int
    parts: frozenset[int]  # or ANY_PART


def parse_cursor(text: str) -> SearchCursor | None:
    """Read a cursor; None when it is not one of ours."""
    found = re.fullmatch(r"(\d{1,15})\.(\d{1,15})", text)
    return SearchCursor(int(found[1]), int(found[2])) if found else None


def search(
    query: Query,
    *,
    cursor: SearchCursor | None = None,
    limit: int = LIMIT,
    budget_s: float | None = None,
    choose: Choose | None = None,
) -> Results:
    """Return the next page of a search. With `choose` it is one of runs: only those that `choose` returns, and of each
    the last line that matches. Raises QueryError, Busy, TooSlow for a regular expression, and Http404 for a script or
    a folder that is not there.
    """
    if query.is_empty:
        raise QueryError("A search needs a word, a phrase or `re:...`.")
    if not _places.acquire(timeout=WAIT_S):
        raise Busy("Other searches are going on.\nhint: try again shortly")
    try:
        deadline = time.monotonic() + (BUDGET_S if budget_s is None else budget_s)
        bounds = _Bounds(limit=limit, deadline=deadline, choose=choose)
        found = _search(query, cursor or SearchCursor(), bounds)
    finally:
        _places.release()
    if not found.hits and not query.among:  # a key with limits is not told which others there are
        lookup.require_known(script=query.script, folder=query.folder)
    return found


@dataclass(frozen=True, kw_only=True)
class _Bounds:
    limit: int
    deadline: float
    choose: Choose | None


def _search(query: Query, cursor: SearchCursor, bounds: _Bounds) -> Results:
    damaged: set[str] = set()
    while True:
        with ExitStack() as stack:
            page = _Page(query, stack, bounds, damaged)
            try:
                return page.fill(cursor)
            except _Damaged as damage:
                damaged.add(damage.month)
                _give_up(damage.month, damage)


def _give_up(month: str, why: Exception) -> None:
    # Without the file its runs are scanned, and the engine makes it anew.
    logger.warning("the index of %s is damaged: %s", month, why)
    try:
        month_index.remove(month)
    except OSError as error:
        logger.warning("the index of %s cannot be removed: %s", month, error)


class _Damaged(Exception):
    def __init__(self, month: str, why: str) -> None:
        super().__init__(why)
        self.month = month


class _Page:
    def __init__(
        self, query: Query, stack: ExitStack, bounds: _Bounds, damaged: Collection[str]
    ) -> None:
        self._query = query
        self._bounds = bounds
        self._results = Results()
        self._found: list[_Found] = []
        self._runs_path = paths.runs()
        # Before the files are opened: what is added meanwhile is searched twice and not left out.
        stored = coverage.load()
        self._indexes = _open_indexes(stack, damaged)
        self._covered = coverage.reliable(stored, self._indexes)
        self._patterns = [stack.enter_context(patterns.matcher(each)) for each in query.patterns]

    def fill(self, cursor: SearchCursor) -> Results:
        self._search_from(cursor)
        runs = candidate_runs.runs_by_id([found.run for found in self._found])
        for found in self._found:
            if found.run in runs:  # or retention was faster
                self._results.hits.append(Hit(runs[found.run], *found[1:]))
        return self._results

    def _search_from(self, cursor: SearchCursor) -> None:
        results = self._results
        results.percent = coverage.percent(self._covered)
        if results.percent < 100:
            search_degraded.send_robust(None)
        results.has_skips = any(index.has_skips() for index in self._indexes.values())
        candidates = self._candidates(below=cursor.run + (cursor.row > 1))
        size = FIRST_CHUNK
        while chunk := list(islice(candidates, size)):
            size = min(2 * size, MAX_CHUNK)
            rows = self._rows([candidate.run for candidate in chunk])
            for candidate in chunk:
                row = rows.get(candidate.run)
                if row is not None and self._search_run(row, candidate, cursor):
                    return
            if self._is_over():
                results.next_cursor = SearchCursor(chunk[-1].run)
                results.searched_back_to = candidate_runs.created_at(chunk[-1].run)
                return
        results.searched_back_to = None

    def _rows(self, ids: Sequence[int]) -> Mapping[int, CandidateRun]:
        found = candidate_runs.rows_for(self._query, ids)
        if self._bounds.choose is None or not found:
            return found
        return {pk: found[pk] for pk in self._bounds.choose(list(found))}

    def _candidates(self, *, below: int) -> Iterator[Candidate]:
        streams = [self._not_indexed(below=below)]
        for month in self._indexes:
            streams.append(self._matches(month, below=below))
        merged = heapq.merge(*streams, key=_run_of, reverse=True)
        for run, group in groupby(merged, key=_run_of):
            yield Candidate(run, frozenset(place.part for place in group))

    def _matches(self, month: str, *, below: int) -> Iterator[Place]:
        try:
            yield from self._indexes[month].matches(self._query.words, below=below)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            raise _Damaged(month, str(error)) from error

    def _not_indexed(self, *, below: int) -> Iterator[Place]:
        # Files that are there hold runs of which the coverage does not know, as while it is made anew.
        runs = coverage.not_covered(self._covered, below=below)
        while page := list(islice(runs, coverage.PAGE)):
            held: set[int] = set()
            for index in self._indexes.values():
                held.update(index.holds(page))
            for run in page:
                if run not in held:
                    yield Place(run, ANY_PART)

    def _search_run(self, run: CandidateRun, candidate: Candidate, cursor: SearchCursor) -> bool:
        # Whether the page ends here.
        below = cursor.row if run.pk == cursor.run else MAX_ID
        self._results.searched_back_to = run.began
        try:
            try:
                return self._search_log(run, self._parts(run), candidate, below)
            except ChangedLog:
                logger.warning("the log of run %s is not the one that was indexed", run.pk)
                if self._found and self._found[-1].run == run.pk:
                    below = self._found[-1].line.row
                return self._search_log(run, [], candidate, below)
        except FileNotFoundError:  # retention was faster
            return False
        except OSError as error:
            logger.warning("the log of run %s could not be searched: %s", run.pk, error)
            return False

    def _search_log(
        self, run: CandidateRun, parts: list[tuple[int, int]], candidate: Candidate, below: int
    ) -> bool:
        with log_texts.opened(self._runs_path.joinpath(run.folder, LOG), parts) as log:
            positions = _positions(log, candidate, has_parts=bool(parts))
            return any(
                self._search_block(run, log, position, below)
                for position in positions
                if not self._has_enough_of(run)
            )

    def _parts(self, run: CandidateRun) -> list[tuple[int, int]]:
        index = self._indexes.get(run.folder.partition("/")[0])
        found = index.run(run.pk) if index else None
        if found is None or found.folder != run.folder:
            return []
        return found.parts

    def _search_block(self, run: CandidateRun, log: LogTexts, position: int, below: int) -> bool:
        block = log.block(position)
        if block.first >= below:
            return False
        self._results.read_bytes += len(block.text)
        for row, spans in self._matching_rows(block, below):
            self._found.append(_found(run.pk, log, position, block, row, spans))
            if len(self._found) == self._bounds.limit:
                self._results.next_cursor = SearchCursor(run.pk, 1 if self._bounds.choose else row)
                return True
            if self._has_enough_of(run):
                return False
        if self._is_over():
            self._results.next_cursor = SearchCursor(run.pk, block.first)
            return True
        return False

    def _has_enough_of(self, run: CandidateRun) -> bool:
        found = self._found
        return self._bounds.choose is not None and bool(found) and found[-1].run == run.pk

    def _is_over(self) -> bool:
        return time.monotonic() >= self._bounds.deadline

    def _matching_rows(self, block: TextBlock, below: int) -> Iterator[tuple[int, list[Span]]]:
        # From the last line to the first one, with what the regular expressions found there.
        folded = texts.folded(block.text)
        if not all(word in folded for word in self._query.words):
            return
        places = [place for place, line in enumerate(folded.split("\n")) if self._has_words(line)]
        spans = self._matched_patterns(block, places)
        for place in sorted(spans, reverse=True):
            row = block.first + place
            if place < block.count and row < below and self._is_wanted(block.line(row)):
                yield row, spans[place]

    def _matched_patterns(self, block: TextBlock, places: Sequence[int]) -> dict[int, list[Span]]:
        spans: dict[int, list[Span]] = {place: [] for place in places}
        shown = block.text.split("\n")
        for matcher in self._patterns:
            left = list(spans)
            found = matcher.spans([shown[place] for place in left])
            spans = {left[which]: [*spans[left[which]], span] for which, span in found.items()}
        return spans

    def _has_words(self, line: str) -> bool:
        has_all = all(word in line for word in self._query.words)
        return has_all and not any(word in line for word in self._query.excluded)

    def _is_wanted(self, line: LoggedLine) -> bool:
        query = self._query
        if query.stream and line.stream != query.stream:
            return False
        at = moment_of(line)
        is_early = query.after is not None and at < query.after
        is_late = query.before is not None and at >= query.before
        return not (is_early or is_late)


def moment_of(line: LoggedLine) -> datetime:
    return datetime.fromtimestamp(min(line.epoch_ms, 253_402_300_799_000) / 1000, tz=UTC)


def _run_of(place: Place) -> int:
    return place.run


def _open_indexes(stack: ExitStack, damaged: Collection[str]) -> Mapping[str, MonthIndex]:
    found = {}
    for month in month_index.months():
        if month in damaged:
            continue
        try:
            found[month] = stack.enter_context(month_index.reading(month))
        except sqlite3.OperationalError as error:
            logger.warning("the index of %s could not be opened: %s", month, error)
        except sqlite3.DatabaseError as error:
            _give_up(month, error)
    return found


def _positions(log: LogTexts, candidate: Candidate, *, has_parts: bool) -> Iterator[int]:
    for position in reversed(range(log.count)):
        if ANY_PART in candidate.parts or not has_parts or position in candidate.parts:
            yield position


def _found(
    run: int, log: LogTexts, position: int, block: TextBlock, row: int, spans: Sequence[Span]
) -> _Found:
    around = _lines_around(log, position, block, row)
    return _Found(
        run=run,
        line=block.line(row),
        spans=tuple(spans),
        before=[around[each] for each in range(row - CONTEXT, row) if each in around],
        after=[around[each] for each in range(row + 1, row + 1 + CONTEXT) if each in around],
    )


def _lines_around(log: LogTexts, position: int, block: TextBlock, row: int) -> dict[int, str]:
    blocks = [block]
    if row - CONTEXT < block.first and position:
        blocks.append(log.block(position - 1))
    if row + CONTEXT >= block.first + block.count and position + 1 < log.count:
        blocks.append(log.block(position + 1))
    lines = {}
    for each in blocks:
        first = max(each.first, row - CONTEXT)
        beyond = min(each.first + each.count, row + CONTEXT + 1)
        for number in range(first, beyond):
            lines[number] = each.line(number).text
    return lines
