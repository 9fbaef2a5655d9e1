"""Tables over one function: all rows in one test, where a test for each row would cost more than what it looks at."""

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest

Test = Callable[..., None]


def each_row(names: str | Sequence[str], rows: Iterable[Any]) -> Callable[[Test], Test]:
    """As `pytest.mark.parametrize`, but in one test: each row is a subtest of its own, and those after a failure run.

    The rows share the test's fixtures, its data folder and database among them: it is for what changes neither.
    """
    columns = [names] if isinstance(names, str) else list(names)
    table = [[row] if isinstance(names, str) else row for row in rows]
    assert table, "a table without rows proves nothing"

    def decorate(test: Test) -> Test:
        @functools.wraps(test)
        def walk(subtests: pytest.Subtests, **fixtures: Any) -> None:
            for row in table:
                values = dict(zip(columns, row, strict=True))
                with subtests.test(**values):
                    test(**values, **fixtures)

        walk.__signature__ = signature_without(test, columns)  # type: ignore[attr-defined]
        return walk

    return decorate


def signature_without(test: Test, columns: list[str]) -> inspect.Signature:
    """What pytest has to give: the fixtures of a test, without the columns of its table, and what counts subtests."""
    asked = inspect.signature(test).parameters.values()
    fixtures = [parameter for parameter in asked if parameter.name not in columns]
    subtests = inspect.Parameter("subtests", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return inspect.Signature([subtests, *fixtures])
