"""Numbers in addresses and forms: ids of rows, marks of pages."""

from collections.abc import Sequence
from typing import Any

from django.core.paginator import Page
from django.http import QueryDict

MAX_DIGITS = 18  # so that the number fits the database's integers


def number_in(query: QueryDict, name: str) -> int:
    text = query.get(name, "")
    if not (text.isascii() and text.isdecimal()) or len(text) > MAX_DIGITS:
        return 0
    return int(text)


def mark_of_older(rows: Sequence[Any], size: int, field: str = "pk") -> Any:
    if len(rows) <= size:
        return None
    return getattr(rows[size - 1], field)


def part_shown(page: "Page[Any]") -> str:
    """Return "101 to 200 of 1,021"; "" where the page has all."""
    if not page.has_other_pages():
        return ""
    return f"{page.start_index():,} to {page.end_index():,} of {page.paginator.count:,}"
