"""The index of one month's logs: an SQLite file of its own, `search/2026-11.sqlite3`, that can be made anew.

FTS5 with trigrams and without content. Document `64 * run + part` is a part of a run's log, so that the newest come
first without sorting. Beside it a row a run says where in its log the parts begin. Small logs share a document, that of
the newest of them, and a row that names them all.
"""

import heapq
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from runs_app.search import packs, texts
from runs_app.search.packs import ANY_PART, Pack, Place, SmallLog
from tempo_site.lib import paths

SUFFIX = ".sqlite3"
VERSION = 2
MAX_PARTS = 64
TRIGRAM = 3
MAX_TRIGRAMS = 16  # of one word: more would not narrow it down further
MAX_SHORT_TERMS = 300  # trigrams that hold a word of one or two characters
TIMEOUT_S = 5.0
_SCHEMA = """
    CREATE VIRTUAL TABLE docs USING fts5(
        text, content='', columnsize=0, detail=none, tokenize='trigram case_sensitive 1'
    );
    INSERT INTO docs(docs, rank) VALUES ('hashsize', 262144);
    CREATE TABLE runs (run INTEGER PRIMARY KEY, folder TEXT NOT NULL, parts TEXT NOT NULL, skips INTEGER NOT NULL);
    CREATE TABLE packs (newest INTEGER PRIMARY KEY, runs BLOB NOT NULL);
    CREATE INDEX runs_with_skips ON runs (run) WHERE skips;
    PRAGMA user_version = 2;
"""
_ANY_ALONE = "SELECT run FROM runs WHERE run < ? ORDER BY run DESC"
_ANY_PACK = "SELECT newest, runs FROM packs WHERE newest < ? ORDER BY newest DESC"
_MATCHES = f"""
    SELECT docs.rowid, packs.runs FROM docs LEFT JOIN packs ON packs.newest = docs.rowid / {MAX_PARTS}
    WHERE docs MATCH ? AND docs.rowid < ? ORDER BY docs.rowid DESC
"""
_PACKS_NEAR = "SELECT newest, runs FROM packs WHERE newest >= ? AND newest < ?"
_WHOLE = [(0, 0)]  # of a log that is one part


@dataclass(frozen=True, kw_only=True)
class IndexedRun:
    """A run as the index holds it; `parts`: offset and number of lines before each, empty where lines are not plain."""

    run: int
    folder: str
    parts: list[tuple[int, int]]
    texts: Iterable[str] = ()


def path_of(month: str) -> Path:
    return paths.search() / f"{month}{SUFFIX}"


def months() -> list[str]:
    """Return the months that have a file, the newest first."""
    try:
        names = [path.name for path in paths.search().iterdir()]
    except FileNotFoundError:
        return []
    found = [name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX)]
    return sorted(found, reverse=True)


def remove(month: str) -> None:
    for ending in ("", "-wal", "-shm", "-journal"):
        path = path_of(month)
        path.with_name(path.name + ending).unlink(missing_ok=True)


class MonthIndex:
    """An open file. Every method may raise sqlite3.Error."""

    def __init__(self, connection: sqlite3.Connection, month: str) -> None:
        self._connection = connection
        self._month = month
        self._near: dict[int, str] = {}  # the folders of the pack that was asked for last

    def holds(self, runs: Sequence[int]) -> dict[int, str]:
        """Return the folders of those runs that the file holds, by run."""
        if not runs:
            return {}
        places = ",".join("?" * len(runs))
        rows = self._connection.execute(
            f"SELECT run, folder FROM runs WHERE run IN ({places})", runs
        )
        held = dict(rows)
        packed = self._in_packs(min(runs), max(runs))
        held.update((run, packed[run]) for run in runs if run in packed)
        return held

    def _in_packs(self, first: int, last: int) -> dict[int, str]:
        # The folders of runs in packs, between these and a little beyond.
        folders: dict[int, str] = {}
        rows = self._connection.execute(_PACKS_NEAR, [first, last + packs.MAX_SPAN])
        for newest, stored in rows:
            folders.update(packs.folders_of(newest, stored, self._month))
        return folders

    def add(self, runs: Iterable[IndexedRun]) -> None:
        with self._connection:
            pack = Pack()
            for run in sorted(runs, key=lambda each: each.run):
                read = _read_if_short(run)
                log = self._small_log(read)
                if log is None:
                    self._add_alone(read)
                    continue
                if not pack.has_place_for(log):
                    self._add_pack(pack)
                    pack = Pack()
                pack.add(log)
            if pack.logs:
                self._add_pack(pack)

    def _small_log(self, run: IndexedRun) -> SmallLog | None:
        # None where the run needs a document, or a row, of its own.
        ending = packs.ending_of(run.folder, run.run, self._month)
        if run.parts != _WHOLE or not ending:
            return None
        text = "\n".join(run.texts)
        if not text or len(text) > packs.SMALL_LENGTH or texts.has_long_words(text):
            return None
        return SmallLog(run.run, ending, text)

    def _add_alone(self, run: IndexedRun) -> None:
        skips = False
        for part, text in enumerate(run.texts):
            skips = skips or texts.has_long_words(text)
            self._add_document(run.run, part, text)
        row = (run.run, run.folder, json.dumps(run.parts), skips)
        self._connection.execute("INSERT INTO runs VALUES (?, ?, ?, ?)", row)

    def _add_pack(self, pack: Pack) -> None:
        # The line ends between them keep the end of one and the begin of the next one apart.
        self._add_document(pack.newest, 0, "\n\n".join([log.text for log in pack.logs]))
        self._connection.execute("INSERT INTO packs VALUES (?, ?)", (pack.newest, pack.stored()))

    def _add_document(self, run: int, part: int, text: str) -> None:
        # The line ends behind it make the last two characters begin a trigram as well.
        document = (run * MAX_PARTS + part, f"{texts.folded(text)}\n\n")
        self._connection.execute("INSERT INTO docs (rowid, text) VALUES (?, ?)", document)

    def save(self) -> None:
        """Bring all that was written to the disk."""
        # Only SQLite may open the file. A checkpoint with something to write syncs all of it.
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute(f"PRAGMA user_version = {VERSION}")
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def run(self, run: int) -> IndexedRun | None:
        rows = self._connection.execute("SELECT folder, parts FROM runs WHERE run = ?", [run])
        found = rows.fetchone()
        if found is not None:
            folder, parts = found
            return IndexedRun(run=run, folder=folder, parts=json.loads(parts))
        if run not in self._near:
            self._near = self._in_packs(run, run)
        if run in self._near:
            return IndexedRun(run=run, folder=self._near[run], parts=_WHOLE)
        return None

    def has_skips(self) -> bool:
        return (
            self._connection.execute("SELECT 1 FROM runs WHERE skips LIMIT 1").fetchone()
            is not None
        )

    def matches(self, words: Sequence[str], *, below: int) -> Iterator[Place]:
        """Yield where below a run all words may be, the newest run first. Of a pack that is in every log."""
        beyond = below + packs.MAX_SPAN  # where the pack of an older run may be
        expression = self._expression(words)
        groups = self._groups_with(expression, beyond) if expression else self._all_groups(beyond)
        for place in packs.newest_first(groups):
            if place.run < below:
                yield place

    def _groups_with(self, expression: str, below: int) -> Iterator[list[Place]]:
        rows = self._connection.execute(_MATCHES, [expression, below * MAX_PARTS])
        for document, stored in rows:
            run, part = divmod(document, MAX_PARTS)
            yield [Place(run, part)] if stored is None else packs.places(run, stored)

    def _all_groups(self, below: int) -> Iterator[list[Place]]:
        alone = self._connection.execute(_ANY_ALONE, [below])
        packed = self._connection.execute(_ANY_PACK, [below])
        yield from heapq.merge(
            ([Place(run, ANY_PART)] for (run,) in alone),
            (packs.places(newest, stored) for newest, stored in packed),
            key=lambda group: group[0].run,
            reverse=True,
        )

    def _expression(self, words: Sequence[str]) -> str:
        needed: list[str] = []
        for word in words:
            if len(word) >= TRIGRAM:
                needed += trigrams(word)
            else:
                needed += self._any_with(word)
        return " AND ".join(dict.fromkeys(needed))

    def _any_with(self, word: str) -> list[str]:
        # A short word begins trigrams; where those are too many, the word narrows nothing down.
        self._connection.execute(
            "CREATE VIRTUAL TABLE IF NOT EXISTS temp.vocabulary USING fts5vocab(main, docs, row)"
        )
        rows = self._connection.execute(
            "SELECT term FROM temp.vocabulary WHERE term >= ? AND term < ? LIMIT ?",
            [word, f"{word}\U0010ffff", MAX_SHORT_TERMS + 1],
        )
        terms = [quoted(term) for (term,) in rows]
        if len(terms) > MAX_SHORT_TERMS:
            return []
        if not terms:
            return [quoted(f"{word}\n\n"[:TRIGRAM])]  # which is nowhere
        return [f"({' OR '.join(terms)})"]


def _read_if_short(run: IndexedRun) -> IndexedRun:
    return replace(run, texts=list(run.texts)) if run.parts == _WHOLE else run


def trigrams(word: str) -> list[str]:
    starts = range(len(word) - TRIGRAM + 1)
    step = max(1, len(starts) // MAX_TRIGRAMS)
    return [quoted(word[start : start + TRIGRAM]) for start in starts[::step]]


def quoted(term: str) -> str:
    return '"' + term.replace('"', '""') + '"'


@contextmanager
def reading(month: str) -> Iterator[MonthIndex]:
    """Open a month's file to search it. Raises sqlite3.Error where there is none, or it is damaged."""
    connection = _connect(month, mode="rw")
    connection.isolation_level = None
    try:
        connection.execute("PRAGMA cache_size = -1024")
        # All questions see the file as it is now.
        connection.execute("BEGIN")
        _check_version(connection)
        yield MonthIndex(connection, month)
    finally:
        connection.close()


@contextmanager
def writing(month: str, *, is_new: bool) -> Iterator[MonthIndex]:
    """Open a month's file to add runs; `is_new`: it may have to be made. Raises sqlite3.Error, OSError."""
    paths.make_closed(paths.search())
    connection = _connect(month, mode="rwc" if is_new else "rw")
    try:
        # What a power cut spoils is made anew, so nothing waits for the disk.
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA cache_size = -512")
        if is_new and not _version(connection):
            connection.executescript(_SCHEMA)
        _check_version(connection)
        yield MonthIndex(connection, month)
    finally:
        connection.close()


def _connect(month: str, *, mode: str) -> sqlite3.Connection:
    # As a URI, which names the mode: a path alone makes an empty file where there is none.
    address = f"{path_of(month).absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(address, uri=True, timeout=TIMEOUT_S)


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _check_version(connection: sqlite3.Connection) -> None:
    if _version(connection) != VERSION:
        raise sqlite3.DatabaseError("it has the form of another version")
    connection.execute("SELECT 1 FROM runs LIMIT 1").fetchone()
