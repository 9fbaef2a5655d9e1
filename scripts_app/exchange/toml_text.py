"""Tables as TOML that people read and git compares: the same tables are always the same text."""

# A library (tomli-w) writes a list of tables now in one way and now in another, by the length of its lines: a longer
# cron line would be a change of the whole file.

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

MAX_BYTES = 512 * 1024
MAX_DOTS = 200  # in a line: each is a further table, and tomllib takes quadratic time for them
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


class NoToml(ValueError):
    """A text that is no TOML; str() says why."""


def written(table: Mapping[str, Any]) -> str:
    """Return a table as text: plain values, then the lists of tables, each in the order of the keys."""
    lists = {key: value for key, value in table.items() if _is_list_of_tables(value)}
    lines = list(_lines({key: value for key, value in table.items() if key not in lists}))
    for key, rows in lists.items():
        for row in rows:
            lines += ["", f"[[{_key(key)}]]", *_lines(row)]
    return "\n".join(lines).lstrip("\n") + "\n"


def read(data: bytes) -> dict[str, Any]:
    """Return the table of a text. Raise NoToml."""
    if len(data) > MAX_BYTES:
        raise NoToml(f"it has more than {MAX_BYTES // 1024} KB")
    try:
        text = data.decode()
        if any(line.count(".") > MAX_DOTS and "=" in line for line in text.split("\n")):
            text = _without_long_keys(text)
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise NoToml(f"it is no TOML: {str(error)[:200]}") from None


# A line of a long text may have any number of dots; in front of its first quote they are those of a key.
def _without_long_keys(text: str) -> str:
    for line in text.split("\n"):
        if line.partition('"')[0].partition("'")[0].count(".") > MAX_DOTS:
            raise NoToml(f"a line has more than {MAX_DOTS} dots")
    return text


def _is_list_of_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _lines(table: Mapping[str, Any]) -> Iterator[str]:
    for key, value in table.items():
        if isinstance(value, str) and "\n" in value:
            # In lines, as it was typed; a quotation mark is escaped and ends nothing.
            lines = [_quoted(line)[1:-1] for line in value.split("\n")]
            text = "\n".join(lines)
            yield f'{_key(key)} = """\n{text}"""'
        else:
            yield f"{_key(key)} = {_literal(value)}"


def _literal(value: Any) -> str:
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, dict):
        pairs = ", ".join(f"{_key(key)} = {_literal(each)}" for key, each in value.items())
        return f"{{{pairs}}}"
    return json.dumps(value)


# JSON's escapes are TOML's, but for one character.
def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _quoted(key)
