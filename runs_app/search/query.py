"""What people type into a search: `timeout "connection refused" -retry re:E\\d+ script:backup after:2026-11-01`."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import MAXYEAR, MINYEAR, date, datetime, time, timedelta

from django.db.models import Q
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from runs_app.history import history
from runs_app.search import texts
from runs_app.states import Kind, Status

MAX_LENGTH = 500  # characters
MAX_TERMS = 20
BAD = "bad"
STREAMS = {"stdout": "O", "stderr": "E", "system": "S"}
# A minus, a name with a colon, then a phrase in quotes or a word.
_TERM = re.compile(
    r'(-?)(?:(re|script|folder|status|kind|stream|after|before):)?(?:"([^"]*)"?|(\S+))'
)


class QueryError(ValueError):
    """What cannot be searched for, in a sentence; `hint: ...` behind it says what to do."""


@dataclass(frozen=True, kw_only=True)
class Query:
    """`words` and `excluded` are folded; a line matches when it holds all words and patterns and nothing excluded."""

    words: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    script: str = ""
    folder: str = ""
    statuses: tuple[str, ...] = ()
    kind: str = Kind.SCRIPT
    stream: str = ""
    after: datetime | None = None
    before: datetime | None = None
    among: Q = field(default=Q(), compare=False)  # of runs
    shown_words: tuple[str, ...] = field(default=(), compare=False)  # as typed, for marks

    @property
    def is_empty(self) -> bool:
        return not (self.words or self.patterns)


def parse(text: str) -> Query:
    """Read a search; its regular expressions are read with the search. Raises QueryError."""
    if len(text) > MAX_LENGTH:
        raise QueryError(f"A search has at most {MAX_LENGTH} characters.")
    shown = texts.shown(text)  # no line has other characters, and FTS5 refuses NUL
    terms = [_Term(*found.groups(default="")) for found in _TERM.finditer(shown)]
    if len(terms) > MAX_TERMS:
        raise QueryError(f"A search has at most {MAX_TERMS} words.")
    query = Query()
    for term in terms:
        query = term.added_to(query)
    return query


def with_filters(query: Query, **filters: str) -> Query:
    """Return the query with filters that were given beside it: by name, as in the text. Raises QueryError."""
    for name, value in filters.items():
        if value:
            query = _FILTERS[name](query, value)
    return query


@dataclass(frozen=True)
class _Term:
    sign: str
    name: str
    phrase: str
    word: str

    def added_to(self, query: Query) -> Query:
        value = self.phrase or self.word
        if not value:
            return query
        if not self.name:
            return self._add_word(query, value)
        if self.sign:
            raise QueryError(
                f"`-{self.name}:` cannot be left out of a search.\nhint: `-word` leaves out lines with a word"
            )
        return _FILTERS[self.name](query, value)

    def _add_word(self, query: Query, value: str) -> Query:
        word = texts.folded(value)
        if not word:
            raise QueryError(f"A word has at most {texts.MAX_WORD} characters.")
        if self.sign:
            return replace(query, excluded=(*query.excluded, word))
        return replace(query, words=(*query.words, word), shown_words=(*query.shown_words, value))


def _add_pattern(query: Query, value: str) -> Query:
    return replace(query, patterns=(*query.patterns, value))


def _set_statuses(query: Query, value: str) -> Query:
    if value == BAD:
        return replace(query, statuses=tuple(status.value for status in history.BAD))
    _check("status", value, [*Status.values, BAD])
    return replace(query, statuses=(value,))


def _set_kind(query: Query, value: str) -> Query:
    _check("kind", value, [*Kind.values, "all"])
    return replace(query, kind="" if value == "all" else value)


def _set_stream(query: Query, value: str) -> Query:
    _check("stream", value, list(STREAMS))
    return replace(query, stream=STREAMS[value])


def _check(name: str, value: str, known: list[str]) -> None:
    if value not in known:
        raise QueryError(f"There is no {name} `{value[:60]}`.\nhint: {', '.join(known)}")


def moment(value: str, *, is_end: bool = False) -> datetime:
    """Read a day or a moment; a day as an end is over at midnight. Raises QueryError."""
    try:
        day = parse_date(value)
        exact = parse_datetime(value)
    except ValueError:
        day = exact = None
    year = (day or exact or date.min).year
    if not MINYEAR < year < MAXYEAR:  # in another zone it might be no date any more
        raise QueryError(f"`{value[:60]}` is no day.\nhint: 2026-11-01, or 2026-11-01T14:00")
    if day is not None:
        begin = timezone.make_aware(datetime.combine(day, time()))
        return begin + timedelta(days=1) if is_end else begin
    assert exact
    return exact if timezone.is_aware(exact) else timezone.make_aware(exact)


_FILTERS: dict[str, Callable[[Query, str], Query]] = {
    "re": _add_pattern,
    "script": lambda query, value: replace(query, script=value),
    "folder": lambda query, value: replace(query, folder=value),
    "status": _set_statuses,
    "kind": _set_kind,
    "stream": _set_stream,
    "after": lambda query, value: replace(query, after=moment(value)),
    "before": lambda query, value: replace(query, before=moment(value)),
    "to": lambda query, value: replace(query, before=moment(value, is_end=True)),
}
