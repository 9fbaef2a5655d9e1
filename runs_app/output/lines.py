"""A run's output by line number: windows of lines and plain-text search."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from runs_app.models import Run
from runs_app.output import line_search, log, stored_log
from runs_app.output.cursors import Cursors
from runs_app.output.line_index import LineIndex, Window
from runs_app.output.line_search import Matches
from tempo_site.lib import paths

MAX_WINDOW_LINES = 1000
MAX_INDEXES = 16  # logs whose index stays in memory
NO_LINES = Window(first=1, total=0, end=0, cursors=Cursors(), lines=[])
NO_MATCHES = Matches(numbers=[], searched=0, is_cut=False)

T = TypeVar("T")

_indexes: OrderedDict[Path, LineIndex] = OrderedDict()
_indexes_lock = threading.Lock()


def window(run: Run, first: int, count: int) -> Window:
    return _read(run, lambda index: index.window(first, count), NO_LINES)


def last(run: Run, count: int) -> Window:
    return _read(run, lambda index: index.last(count), NO_LINES)


def search(run: Run, text: str, *, first: int = 1) -> Matches:
    return _read(run, lambda index: line_search.search(index, text, first=first), NO_MATCHES)


def search_back(run: Run, text: str, *, before: int) -> Matches:
    return _read(run, lambda index: line_search.search_back(index, text, before=before), NO_MATCHES)


def _read(run: Run, read: Callable[[LineIndex], T], without_log: T) -> T:
    index = index_of_log(run)
    if index is None:
        return without_log
    try:
        return read(index)
    except FileNotFoundError:  # retention was faster
        return without_log


def index_of_log(run: Run) -> LineIndex | None:
    """Return the index of a run's log, made or taken from memory; None without a log."""
    if not run.folder:
        return None
    path = paths.run_folder(run.folder) / log.LOG
    with _indexes_lock:
        try:
            index = _current_index(path)
        except FileNotFoundError:  # deleted a moment ago
            return None
        if index is None:
            return None
        _indexes[path] = index
        _indexes.move_to_end(path)
        if len(_indexes) > MAX_INDEXES:
            _indexes.popitem(last=False)
    return index


def _current_index(path: Path) -> LineIndex | None:
    stored = stored_log.open_stored(path)
    if stored is None:
        return None
    try:
        identity, size = stored.identity, stored.size
    finally:
        stored.close()
    index = _indexes.get(path)
    if index is None or index.inode != identity or size < index.end:
        return LineIndex(path)
    return index
