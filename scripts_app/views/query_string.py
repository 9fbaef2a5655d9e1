"""Numbers in addresses and forms: ids of rows, page marks."""

from django.http import QueryDict

MAX_DIGITS = 18  # so that the number fits the database's integers


def number_in(query: QueryDict, name: str) -> int:
    """Return a row's id in a query string or form; 0 for a text that cannot be an id."""
    text = query.get(name, "")
    if not (text.isascii() and text.isdecimal()) or len(text) > MAX_DIGITS:
        return 0
    return int(text)
