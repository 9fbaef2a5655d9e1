"""A condition on rows, asked of one row in memory: with the answer that the database gives for a stored one."""

import functools
from collections.abc import Callable
from typing import Any

from django.db.models import Model, Q

_LOOKUPS: dict[str, Callable[[Any, Any], bool]] = {
    "exact": lambda found, value: bool(found == value),
    "isnull": lambda found, value: (found is None) == value,
    "in": lambda found, value: found is not None and found in value,
    "gt": lambda found, value: found is not None and bool(found > value),
}


def matches(condition: Q, row: Model) -> bool:
    """Whether a row fulfils a condition; each related row that the condition names should be loaded already."""
    if condition.connector not in (Q.AND, Q.OR):
        raise NotImplementedError(condition.connector)
    decides = condition.connector == Q.OR  # the answer of a child behind which no other is asked
    holds = not decides
    for child in condition.children:
        if _child_matches(child, row) is decides:
            holds = decides
            break
    return holds is not condition.negated


def _child_matches(child: Any, row: Model) -> bool:
    if isinstance(child, Q):
        return matches(child, row)
    path, value = child
    names, holds = _parsed(path)
    return holds(_value_at(names, row), value)


@functools.lru_cache(maxsize=64)
def _parsed(path: str) -> tuple[list[str], Callable[[Any, Any], bool]]:
    names = path.split("__")
    lookup = "exact"
    if names[-1] in _LOOKUPS:
        lookup = names.pop()
    return names, _LOOKUPS[lookup]


def _value_at(names: list[str], row: Model) -> Any:
    found: Any = row
    for name in names:
        if found is None:
            return None
        related = found._state.fields_cache  # Django's own way to a row in there takes six calls
        found = related[name] if name in related else getattr(found, name)
    if isinstance(found, Model):
        return found.pk
    return found
