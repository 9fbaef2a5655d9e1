"""A list as a file: the same columns in CSV, of which no cell is a formula, and in JSON."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse, JsonResponse

MAX_ROWS = 10_000
# Programs that show tables run what begins so; some of them take the wide forms for the same characters.
FORMULA_BEGINS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


@dataclass(frozen=True, kw_only=True)
class Table:
    """`name` is that of the file, without its ending; each row has a value for each of the columns. With a
    `next_cursor` there are more rows, which the name of the file says.
    """

    name: str
    columns: Sequence[str]
    rows: Sequence[Mapping[str, Any]]
    next_cursor: str = ""

    @property
    def file_name(self) -> str:
        if self.next_cursor:
            return f"{self.name}-{len(self.rows)}-of-more"
        return self.name


def response(table: Table, suffix: str) -> HttpResponse:
    """Return the table as a download: `csv`, or `json` in the shape of the API's lists."""
    if suffix == "json":
        items = [{name: row[name] for name in table.columns} for row in table.rows]
        answer: HttpResponse = JsonResponse(
            {"items": items, "next_cursor": table.next_cursor or None}
        )
    else:
        answer = HttpResponse(as_csv(table), content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="{table.file_name}.{suffix}"'
    return answer


def as_csv(table: Table) -> str:
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(table.columns)
    for row in table.rows:
        writer.writerow([_cell(row[name]) for name in table.columns])
    return file.getvalue()


def _cell(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        value = ", ".join(str(part) for part in value)
    # A number is no formula.
    if isinstance(value, str) and value.startswith(FORMULA_BEGINS):
        return f"'{value}"
    return value
