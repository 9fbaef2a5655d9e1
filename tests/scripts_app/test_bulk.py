"""One verb on many rows: refusals stop nobody, and the report is short."""

from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.contrib.messages.storage.fallback import FallbackStorage
from django.db import OperationalError
from django.http import HttpRequest
from django.test import RequestFactory

from scripts_app import bulk
from tempo_site.lib import storage_trouble


@dataclass(frozen=True)
class Row:
    """Anything with a name."""

    name: str


ROWS = [Row(name) for name in "abcde"]


@pytest.fixture
def request_(rf: RequestFactory) -> HttpRequest:
    """A request that keeps its messages to itself."""
    request = rf.get("/")
    request.session = {}  # type: ignore[assignment]  # the storage asks for no more
    request._messages = FallbackStorage(request)  # type: ignore[attr-defined]
    return request


def refuse(row: Row) -> None:
    """A verb that refuses all but the first row."""
    if row.name != "a":
        raise ValueError(f"{row.name} may not")


def told(request: HttpRequest) -> list[str]:
    """What the next page would say."""
    return [str(message) for message in get_messages(request)]


def test_each_row_is_acted_on_whatever_becomes_of_the_others() -> None:
    outcome = bulk.act_on_each(ROWS, refuse)
    assert [row.name for row in outcome.done] == ["a"]
    assert [(row.name, why) for row, why in outcome.refused][:2] == [
        ("b", "b may not"),
        ("c", "c may not"),
    ]
    assert outcome.gone == 0


def test_a_busy_database_is_a_refusal_and_a_defect_is_none() -> None:
    def be_busy(_: Row) -> None:
        raise OperationalError("database is locked")

    outcome = bulk.act_on_each(ROWS[:1], be_busy)
    assert outcome.refused == [(ROWS[0], str(storage_trouble.BUSY))]
    with pytest.raises(KeyError):
        bulk.act_on_each(ROWS, lambda row: {"x": 1}[row.name])


def test_what_was_chosen_and_is_not_there_is_gone() -> None:
    assert bulk.act_on_each(ROWS, refuse, chosen=7).gone == 2


def test_the_report_names_three_refusals_and_counts_the_rest(request_: HttpRequest) -> None:
    outcome = bulk.act_on_each(ROWS, refuse, chosen=6)
    bulk.report(request_, outcome, done="Did 1.", gone="1 is gone.")
    assert told(request_) == [
        "Did 1.",
        "`b`: b may not",
        "`c`: c may not",
        "`d`: d may not",
        "2 more were refused.",
    ]


@pytest.mark.parametrize(
    ("fields", "sentences"),
    [
        ({"done": ROWS}, ["Done."]),
        ({"gone": 1}, ["Gone."]),
        ({}, []),
    ],
)
def test_the_report_says_nothing_of_what_there_was_not(
    request_: HttpRequest, fields: dict[str, Any], sentences: list[str]
) -> None:
    bulk.report(request_, bulk.Outcome(**fields), done="Done.", gone="Gone.")
    assert told(request_) == sentences
