"""A condition on rows, asked of one row in memory: with the answer that the database gives for a stored one."""

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
    answers = (_child_matches(child, row) for child in condition.children)
    if condition.connector == Q.AND:
        holds = all(answers)
    elif condition.connector == Q.OR:
        holds = any(answers)
    else:
        raise NotImplementedError(condition.connector)
    return holds is not condition.negated


def _child_matches(child: Any, row: Model) -> bool:
    if isinstance(child, Q):
        return matches(child, row)
    path, value = child
    names = path.split("__")
    lookup = "exact"
    if names[-1] in _LOOKUPS:
        lookup = names.pop()
    return _LOOKUPS[lookup](_value_at(names, row), value)


def _value_at(names: list[str], row: Model) -> Any:
    found: Any = row
    for name in names:
        if found is None:
            return None
        found = getattr(found, name)
    if isinstance(found, Model):
        return found.pk
    return found
