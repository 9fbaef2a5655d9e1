"""One verb on many rows: a refusal of one row does not stop the others, and all is reported at once."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Generic, TypeVar

from django.contrib import messages
from django.db import DatabaseError
from django.http import HttpRequest

from tempo_site.lib import storage_trouble

MAX_REFUSALS = 3  # told one by one; the rest is a number

Row = TypeVar("Row")


@dataclass(frozen=True, kw_only=True)
class Outcome(Generic[Row]):
    """What came of a verb on many rows; `gone` counts the rows that were chosen and not found any more."""

    done: list[Row] = field(default_factory=list)
    refused: list[tuple[Row, str]] = field(default_factory=list)
    gone: int = 0


def act_on_each(
    rows: Iterable[Row], verb: Callable[[Row], object], *, chosen: int | None = None
) -> Outcome[Row]:
    """Call a verb on each row. `chosen` is how many rows were asked for, where some may be gone.

    All refusals of Tempo's verbs are ValueErrors: ScriptError, TimingError, InterpreterMissing, Refused.
    """
    done: list[Row] = []
    refused: list[tuple[Row, str]] = []
    for row in rows:
        try:
            verb(row)
        except ValueError as refusal:
            refused.append((row, str(refusal)))
        except DatabaseError as error:  # locked for too long: the other rows may have more luck
            trouble = storage_trouble.trouble_of(error)
            if trouble is None:
                raise
            refused.append((row, str(trouble)))
        else:
            done.append(row)
    found = len(done) + len(refused)
    gone = 0 if chosen is None else max(0, chosen - found)
    return Outcome(done=done, refused=refused, gone=gone)


def report(
    request: HttpRequest,
    outcome: Outcome[Any],
    *,
    done: str,
    gone: str = "",
    name_of: Callable[[Any], str] = attrgetter("name"),
) -> None:
    """Show the outcome as messages: `done`, then the first refusals by the rows' names, `gone` as the last.

    `done` is said when there was a success, `gone` when a row was not there any more.
    """
    if outcome.done:
        messages.success(request, done)
    sentences = [f"`{name_of(row)}`: {why}" for row, why in outcome.refused]
    if outcome.gone:
        sentences.append(gone)
    for sentence in sentences[:MAX_REFUSALS]:
        messages.error(request, sentence)
    if len(sentences) > MAX_REFUSALS:
        messages.error(request, f"{len(sentences) - MAX_REFUSALS} more were refused.")


def count_of_scripts(count: int) -> str:
    return "1 script" if count == 1 else f"{count} scripts"


def count_of_schedules(count: int) -> str:
    return "1 schedule" if count == 1 else f"{count} schedules"
