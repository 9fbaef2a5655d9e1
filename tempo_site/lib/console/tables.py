"""What commands print: a table of rows, or JSON as the API has it."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table, its columns as wide as what is in them."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        padded = map(str.ljust, row, widths)
        lines.append("  ".join(padded).rstrip())
    return lines


def as_json(value: Any) -> str:
    return json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False)


def moment(when: datetime | None) -> str:
    """Return a moment in the server's time zone, "-" for none."""
    return f"{timezone.localtime(when):%Y-%m-%d %H:%M:%S %Z}" if when else "-"
