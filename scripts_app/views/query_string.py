"""Numbers in addresses and forms: ids of rows, marks of pages."""

from collections.abc import Sequence
from typing import Any

from django.http import QueryDict

MAX_DIGITS = 18  # so that the number fits the database's integers


def number_in(query: QueryDict, name: str) -> int:
    """Return a row's id in a query string or form; 0 for a text that cannot be an id."""
    text = query.get(name, "")
    if not (text.isascii() and text.isdecimal()) or len(text) > MAX_DIGITS:
        return 0
    return int(text)


def mark_of_older(rows: Sequence[Any], size: int, field: str = "pk") -> Any:
    """Return the last row's mark of a page with `size` rows, or None when `rows` holds no further row."""
    if len(rows) <= size:
        return None
    return getattr(rows[size - 1], field)
