"""A table in one test: every row is looked at, and each that is wrong is told."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.rows import each_row


class Notes:
    """As pytest's `subtests`: goes on after a failure, and keeps what failed."""

    def __init__(self) -> None:
        self.failed: list[dict[str, Any]] = []

    @contextmanager
    def test(self, **values: Any) -> Iterator[None]:
        try:
            yield
        except AssertionError:
            self.failed.append(values)


@each_row(("number", "word"), [(1, "one"), (5, "five"), (2, "two"), (7, "seven")])
def small(number: int, word: str, limit: int) -> None:
    assert number < limit, word


@each_row("number", [(1, 2), (3, 4)])
def short(number: tuple[int, ...]) -> None:
    assert number == (3, 4)


def test_each_wrong_row_is_told_and_those_after_it_are_looked_at() -> None:
    notes = Notes()
    small(notes, limit=3)
    assert notes.failed == [{"number": 5, "word": "five"}, {"number": 7, "word": "seven"}]


def test_a_single_column_takes_its_rows_as_they_are() -> None:
    notes = Notes()
    short(notes)
    assert notes.failed == [{"number": (1, 2)}]


def test_what_pytest_gives_are_the_fixtures_alone() -> None:
    assert list(inspect.signature(small).parameters) == ["subtests", "limit"]
