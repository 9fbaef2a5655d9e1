"""Rows as a list in JSON shows them. As rows of the model, with what they refer to, they take ten times as long."""

import functools
import json
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import DateTimeField, F, JSONField, Model, QuerySet, TextField
from django.db.models.functions import Cast

Row = TypeVar("Row", bound=NamedTuple)
Converter = Callable[[Any], Any]


class PlainRows(Generic[Row]):
    """The columns that a named tuple names as `values_list` does, but a moment is the text that the API shows.

    The ORM writes the columns and their joins once, and each time only which rows they are of.
    """

    def __init__(self, model: type[Model], row: type[Row]) -> None:
        self._model = model
        self._row = row

    def rows(self, chosen: QuerySet[Any], *, order_by: str) -> list[Row]:
        """Return the rows of a query set, ordered by a field of the model; `-` before it as in `QuerySet.order_by`."""
        select, converters = self._statement
        try:
            which, parameters = chosen.values("pk").query.sql_with_params()
        except EmptyResultSet:
            return []
        key, order = (self._column(name) for name in ("pk", order_by.removeprefix("-")))
        direction = "DESC" if order_by.startswith("-") else "ASC"
        with connection.cursor() as cursor:
            cursor.execute(
                f"{select} WHERE {key} IN ({which}) ORDER BY {order} {direction}", parameters
            )
            return [self._row._make(_converted(values, converters)) for values in cursor.fetchall()]

    def _column(self, name: str) -> str:
        meta = self._model._meta
        field: Any = meta.pk if name == "pk" else meta.get_field(name)
        return f'"{meta.db_table}"."{field.column}"'

    @functools.cached_property
    def _statement(self) -> tuple[str, dict[int, Converter]]:
        # As a text, since Python's sqlite3 makes a datetime of whatever is a moment.
        moments = _moments_of(self._model)
        columns = [
            Cast(name, TextField()) if name in moments else F(name) for name in self._row._fields
        ]
        rows = self._model._base_manager.order_by().values_list(*columns)
        compiler = rows.query.get_compiler(connection=connection)
        select, _ = compiler.as_sql()
        converters: dict[int, Converter] = {}
        for place, (name, (column, *_)) in enumerate(
            zip(self._row._fields, compiler.select, strict=True)
        ):
            if name in moments:
                converters[place] = api_moment
            elif isinstance(column.output_field, JSONField):
                converters[place] = json.loads
        return select, converters


def _moments_of(model: type[Model]) -> set[str]:
    return {field.name for field in model._meta.concrete_fields if isinstance(field, DateTimeField)}


def _converted(values: tuple[Any, ...], converters: dict[int, Converter]) -> list[Any]:
    row = list(values)
    for place, converter in converters.items():
        if row[place] is not None:
            row[place] = converter(row[place])
    return row


def api_moment(stored: str) -> str:
    """Return a stored moment as Django's JSON encoder writes it: UTC in ISO 8601, with milliseconds at most."""
    return f"{stored[:10]}T{stored[11:23]}Z"
